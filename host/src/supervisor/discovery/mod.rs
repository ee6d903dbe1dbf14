//! What mngr reports about agents and their hosts.
//!
//! One `mngr observe` runs as a child for as long as [`Discovery`] does, and is started again whatever ends it. Its lines become
//! calls of an [`AgentHandler`]: an agent is discovered, again when something about it or the way to its host changes, and
//! destroyed. Trouble on mngr's side destroys nobody: what mngr cannot look at is kept, and while there is no mngr at all, so
//! is everything. Nothing that mngr writes is kept but what is known of the agents.
//!
//! A line's way: `child` → `lines` → `feed` → `event` → `known` → the handler.

mod child;
mod event;
mod feed;
mod known;
mod lines;
mod observe;
#[cfg(test)]
mod program;
mod recent;
mod report;
mod sieve;
mod status;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::feed::Feed;
pub(crate) use self::observe::NO_OTHER_MNGR;
use self::observe::{Observer, Order};
use self::status::Shared;
pub use self::status::{DiscoveryStatus, ObserveState};
use crate::store::ids::{AgentId, HostId};
use crate::supervisor::ssh_info::SshInfo;

/// An agent on a host. The same agent on another host is another one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredAgent {
    pub agent: AgentId,
    pub host: HostId,
    /// For people; may be empty, is not unique, and is chosen by whoever made the agent.
    pub name: String,
    /// The instance of a provider in mngr's settings.
    pub provider: String,
    /// None while mngr has not said it; of the local host it never says it.
    pub ssh: Option<SshInfo>,
}

/// Is told which agents there are.
///
/// The calls come one after the other, from a task of the runtime: they must not block. What takes time is handed on, for
/// instance through a channel. A call that panics ends discovery.
pub trait AgentHandler: Send + 'static {
    /// There is an agent on a host, or what was said about it has changed; the last word counts.
    fn discovered(&self, agent: &DiscoveredAgent);

    /// A discovered agent is no longer on this host. On another host it may well be.
    fn destroyed(&self, agent: &AgentId, host: &HostId);
}

impl<H: AgentHandler + Sync + ?Sized> AgentHandler for Arc<H> {
    fn discovered(&self, agent: &DiscoveredAgent) {
        (**self).discovered(agent);
    }

    fn destroyed(&self, agent: &AgentId, host: &HostId) {
        (**self).destroyed(agent, host);
    }
}

/// How mngr is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserveSettings {
    /// A name to be found on PATH, or a path.
    pub mngr_binary: PathBuf,
    /// Where mngr runs: the home directory.
    pub home: PathBuf,
}

/// Follows mngr's discovery from its start until it is stopped or dropped.
#[derive(Debug)]
pub struct Discovery {
    orders: watch::Sender<Order>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Discovery {
    /// Begins to observe. Fails only when a relative path to mngr cannot be resolved; that there is no mngr is no failure. To
    /// be called within a tokio runtime that has time and I/O.
    pub fn start(settings: ObserveSettings, handler: impl AgentHandler) -> io::Result<Self> {
        let settings = ObserveSettings {
            mngr_binary: resolve(&settings.mngr_binary)?,
            home: settings.home,
        };
        let (orders, ordered) = watch::channel(Order::Observe);
        let shared = Arc::new(Shared::new());
        let feed = Feed::new(Box::new(handler), Arc::clone(&shared));
        let observer = Observer::new(settings, ordered, feed, Arc::clone(&shared));
        Ok(Self {
            orders,
            shared,
            task: tokio::spawn(observer.run()),
        })
    }

    /// Ends the child and starts another one, at once even when the next start was to wait. What is known of agents stays;
    /// the new child's first words are compared with it. Returns before it is done; calls in quick succession may be
    /// done by one restart.
    pub fn restart(&self) {
        self.orders.send_replace(Order::Observe);
    }

    /// Ends the child for good, with everything that it started. When that takes longer than `deadline`, it is killed.
    pub async fn stop(mut self, deadline: Duration) {
        self.orders.send_replace(Order::Stop);
        if timeout(deadline, &mut self.task).await.is_err() {
            self.task.abort();
            // Ends at once: what is left is dropped, and dropping kills the child.
            let _ = (&mut self.task).await;
        }
        self.shared.stopped();
    }

    pub fn status(&self) -> DiscoveryStatus {
        self.shared.get()
    }

    /// Tells of changes of [`status`](Self::status), but not of each event.
    pub fn changes(&self) -> watch::Receiver<DiscoveryStatus> {
        self.shared.changes()
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.orders.send_replace(Order::Stop);
    }
}

/// A path must mean the same wherever mngr runs; a name is looked for on PATH at each start.
fn resolve(program: &Path) -> io::Result<PathBuf> {
    if program.components().count() > 1 {
        std::path::absolute(program)
    } else {
        Ok(program.to_owned())
    }
}

//! All tunnels. Knows which agent needs what of which host, and gives each host a task that brings it about.
//!
//! Calls return at once and may be repeated: they say what is wanted, the tasks work towards it. Hosts share nothing, so
//! that one in trouble delays no other and no request ever reaches another host's gateway.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::host::report::{Reporter, Shared};
use super::host::{self, Assignment, Means};
use super::link::{Connector, Forward};
use super::sessions::PredecessorStore;
use super::ssh::Ssh;
use super::status::{HostStatus, Progress};
use super::wanted::Wanted;
use crate::store::ids::{AgentId, HostId};
use crate::supervisor::ssh_info::SshInfo;

/// Keeps ports of agent hosts forwarded to addresses of this machine: one SSH connection a host, shared by its agents.
///
/// Clones manage the same tunnels. When the last one is dropped, all tunnels are closed.
#[derive(Clone)]
pub struct TunnelManager {
    shared: Arc<Tunnels>,
}

/// Learns that the status of some tunnel has changed.
#[derive(Clone, Debug)]
pub struct StatusChanges(watch::Receiver<()>);

struct Tunnels {
    registry: Mutex<Registry>,
    changed: watch::Sender<()>,
    launcher: Box<dyn Launch>,
    runtime: Handle,
    tasks: TaskTracker,
    /// Ends the tasks that do not end by themselves in time.
    abandon: CancellationToken,
}

#[derive(Default)]
struct Registry {
    hosts: HashMap<HostId, Entry>,
    /// Where each agent is; one host, as a rule.
    homes: HashMap<AgentId, Vec<HostId>>,
    closed: bool,
}

struct Entry {
    wanted: watch::Sender<Wanted>,
    progress: Shared,
}

/// Makes a host's task, of whatever kind its connections are.
trait Launch: Send + Sync {
    fn launch(&self, assignment: Assignment) -> BoxFuture<'static, ()>;
}

impl<C: Connector> Launch for Arc<Means<C>> {
    fn launch(&self, assignment: Assignment) -> BoxFuture<'static, ()> {
        host::run(Arc::clone(self), assignment).boxed()
    }
}

impl TunnelManager {
    /// No tunnels yet. They live on `runtime`, which has time and I/O.
    ///
    /// What an agent sends and nobody here reads yet is kept in unnamed files in `spill_directory`: private to its user, and on
    /// a disk rather than in memory. `predecessors` allow to free a port that a dead session of ours still holds.
    pub fn new(
        runtime: Handle,
        spill_directory: PathBuf,
        predecessors: Arc<dyn PredecessorStore>,
    ) -> Self {
        Self::with_connector(runtime, Ssh::new(spill_directory), predecessors)
    }

    fn with_connector<C: Connector>(
        runtime: Handle,
        connector: C,
        predecessors: Arc<dyn PredecessorStore>,
    ) -> Self {
        Self {
            shared: Arc::new(Tunnels {
                registry: Mutex::default(),
                changed: watch::Sender::new(()),
                launcher: Box::new(Arc::new(Means::new(connector, predecessors))),
                runtime,
                tasks: TaskTracker::new(),
                abandon: CancellationToken::new(),
            }),
        }
    }

    /// Sees to it that the host listens on the remote port for this agent, from now on until the agent is removed.
    ///
    /// Repeating a call changes nothing. Another address for a host replaces its connection at once, another target for a
    /// port replaces the forward; both for all agents of the host. After [`close`](Self::close) the call does nothing.
    pub fn forward(&self, agent: AgentId, host: HostId, ssh: SshInfo, forward: Forward) {
        let mut registry = self.shared.registry();
        if registry.closed {
            tracing::debug!(%agent, %host, "no tunnel any more: all are closed");
            return;
        }
        let changed = match registry.hosts.get(&host) {
            Some(entry) => entry
                .wanted
                .send_if_modified(|wanted| wanted.add(&agent, &ssh, forward)),
            None => {
                let mut wanted = Wanted::nothing(ssh.clone());
                wanted.add(&agent, &ssh, forward);
                let entry = self.shared.launch(&host, wanted);
                registry.hosts.insert(host.clone(), entry);
                true
            }
        };
        let homes = registry.homes.entry(agent).or_default();
        if !homes.contains(&host) {
            homes.push(host);
        }
        drop(registry);
        if changed {
            self.shared.changed.send_replace(());
        }
    }

    /// Lets go of everything that the agent needed, and says how many forwards that were.
    ///
    /// A forward that no other agent needs is cancelled; with its last one a host's connection is closed.
    pub fn remove_agent(&self, agent: &AgentId) -> usize {
        let released = self.shared.registry().release(agent, |_| true);
        self.tell_of(released)
    }

    /// The same on one host alone, for an agent that may be on another by now.
    pub fn remove_agent_from(&self, agent: &AgentId, host: &HostId) -> usize {
        let released = self.shared.registry().release(agent, |home| home == host);
        self.tell_of(released)
    }

    fn tell_of(&self, released: usize) -> usize {
        if released > 0 {
            self.shared.changed.send_replace(());
        }
        released
    }

    /// Every host, in order of the ids.
    pub fn status(&self) -> Vec<HostStatus> {
        let registry = self.shared.registry();
        let mut hosts: Vec<HostStatus> = registry
            .hosts
            .iter()
            .map(|(host, entry)| {
                let wanted = entry.wanted.borrow();
                HostStatus {
                    host: host.clone(),
                    address: wanted.ssh.to_string(),
                    agents: wanted.agents(),
                    progress: entry.progress.get(),
                }
            })
            .collect();
        drop(registry);
        hosts.sort_by(|one, other| one.host.as_str().cmp(other.host.as_str()));
        hosts
    }

    /// Tells of changes of [`status`](Self::status) from now on; not of each probe that passes as the one before it did.
    pub fn changes(&self) -> StatusChanges {
        StatusChanges(self.shared.changed.subscribe())
    }

    /// Closes all tunnels at the same time, for good. A host that has not answered by then is left behind: their number.
    pub async fn close(&self, within: Duration) -> usize {
        let tunnels = &self.shared;
        {
            let mut registry = tunnels.registry();
            registry.closed = true;
            for entry in registry.hosts.values() {
                entry.wanted.send_modify(|wanted| wanted.closing = true);
            }
        }
        tunnels.tasks.close();
        let ended = tokio::time::timeout(within, tunnels.tasks.wait()).await;
        let left = if ended.is_ok() {
            0
        } else {
            let left = tunnels.registry().hosts.len();
            tracing::warn!("{left} tunnels did not close within {within:?} and were dropped");
            tunnels.abandon.cancel();
            tunnels.tasks.wait().await;
            left
        };
        *tunnels.registry() = Registry {
            closed: true,
            ..Registry::default()
        };
        tunnels.changed.send_replace(());
        left
    }
}

impl StatusChanges {
    /// Waits for the next change; several at once are one. False when the manager is gone.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl Tunnels {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(self: &Arc<Self>, host: &HostId, wanted: Wanted) -> Entry {
        let (wanted, task_side) = watch::channel(wanted);
        let progress = Shared::new(Progress::new(Timestamp::now()));
        let (tunnels, name) = (Arc::downgrade(self), host.clone());
        let work = self.launcher.launch(Assignment {
            host: host.clone(),
            wanted: task_side,
            reporter: Reporter::new(host.clone(), progress.clone(), self.changed.clone()),
            retire: Box::new(move || retire(&tunnels, &name)),
        });
        let abandon = self.abandon.clone();
        self.tasks.spawn_on(
            async move {
                abandon.run_until_cancelled(work).await;
            },
            &self.runtime,
        );
        Entry { wanted, progress }
    }
}

/// Under the same lock as every wish, so that none falls between the end of a task and the entry's.
fn retire(tunnels: &Weak<Tunnels>, host: &HostId) -> bool {
    let Some(tunnels) = tunnels.upgrade() else {
        return true;
    };
    let mut registry = tunnels.registry();
    let unwanted = registry
        .hosts
        .get(host)
        .is_none_or(|entry| entry.wanted.borrow().is_over());
    if unwanted {
        registry.hosts.remove(host);
        drop(registry);
        tunnels.changed.send_replace(());
    }
    unwanted
}

impl Registry {
    fn release(&mut self, agent: &AgentId, from: impl Fn(&HostId) -> bool) -> usize {
        let Some(homes) = self.homes.get_mut(agent) else {
            return 0;
        };
        let mut released = 0;
        for host in homes.extract_if(.., |host| from(host)) {
            if let Some(entry) = self.hosts.get(&host) {
                entry.wanted.send_if_modified(|wanted| {
                    let count = wanted.remove(agent);
                    released += count;
                    count > 0
                });
            }
        }
        if homes.is_empty() {
            self.homes.remove(agent);
        }
        released
    }
}

#[cfg(test)]
mod tests;

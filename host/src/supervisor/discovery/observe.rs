//! Keeping one mngr observing.
//!
//! Whatever ends the process, another one is started: at once when it is asked for, with back-off when it died, and from time to
//! time while there is no mngr. Only an order ends the task. What is known about agents stays over all of this.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::ObserveSettings;
use super::child::{Child, Deed, SpawnError};
use super::feed::Feed;
use super::status::Shared;
use crate::supervisor::backoff::{Backoff, random};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long after its end a process's output may be held by those that it started.
const LINGER: Duration = Duration::from_secs(1);
/// Between starts of a process that ends by itself.
const STARTS: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(1));
/// Who has run this long has started well.
const STABLE: Duration = Duration::from_secs(60);
/// How often mngr is looked for while there is none.
const SEARCH: Duration = Duration::from_secs(30);
/// What this program says in mngr's place where it is the only mngr on PATH, with status 1.
pub(crate) const NO_OTHER_MNGR: &str = "there is no other 'mngr' on PATH";

/// What the owner wants. Each order is carried out, even one that repeats the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Start anew.
    Observe,
    Stop,
}

/// Why there is no process any more.
#[derive(Debug)]
enum Ending {
    Ordered,
    Died { reason: String, lasted: Duration },
    NotInstalled,
}

/// The task.
pub(super) struct Observer {
    settings: ObserveSettings,
    orders: watch::Receiver<Order>,
    view: View,
    /// Since a process last ran for [`STABLE`].
    failures: u32,
}

/// What comes of a process's output.
struct View {
    feed: Feed,
    shared: Arc<Shared>,
    /// It has been said that there is no mngr, and none has shown itself since.
    is_missed: bool,
    /// What the process last wrote for people.
    last_words: Option<String>,
}

impl Observer {
    pub(super) fn new(
        settings: ObserveSettings,
        orders: watch::Receiver<Order>,
        feed: Feed,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            settings,
            orders,
            view: View {
                feed,
                shared,
                is_missed: false,
                last_words: None,
            },
            failures: 0,
        }
    }

    pub(super) async fn run(mut self) {
        // A restart that was ordered before a start is done by it.
        while *self.orders.borrow_and_update() == Order::Observe {
            let wait = match self.observe().await {
                Ending::Ordered => continue,
                Ending::Died { reason, lasted } => {
                    if lasted >= STABLE {
                        self.failures = 0;
                    }
                    self.failures = self.failures.saturating_add(1);
                    let wait = STARTS.delay(self.failures, random());
                    self.view.died(&reason, wait);
                    wait
                }
                Ending::NotInstalled => {
                    self.view.missed(&self.settings.mngr_binary);
                    SEARCH
                }
            };
            tokio::select! {
                () = order(&mut self.orders) => self.failures = 0,
                () = sleep(wait) => {}
            }
        }
        self.view.shared.stopped();
    }

    /// One process, from its start to its end.
    async fn observe(&mut self) -> Ending {
        let started = Instant::now();
        let mut child = match Child::spawn(&self.settings.mngr_binary, &self.settings.home) {
            Ok(child) => child,
            Err(SpawnError::NotFound(_)) => return Ending::NotInstalled,
            Err(error) => {
                return Ending::Died {
                    reason: error.to_string(),
                    lasted: Duration::ZERO,
                };
            }
        };
        self.view.begin();
        let is_ordered = tokio::select! {
            biased;
            () = order(&mut self.orders) => true,
            () = self.view.follow(&mut child) => false,
        };
        let lasted = started.elapsed();
        if is_ordered {
            child.terminate();
            // What comes now was not asked for any more; reading it lets the process end.
            let _ = timeout(GRACE, async {
                while !child.is_over() {
                    child.next().await;
                }
            })
            .await;
            child.kill().await;
            return Ending::Ordered;
        }
        let _ = timeout(LINGER, self.view.rest(&mut child)).await;
        let has_exited = child.has_exited();
        let status = child.kill().await;
        let last_words = self.view.last_words.take().unwrap_or_default();
        if status.and_then(|status| status.code()) == Some(1) && last_words.contains(NO_OTHER_MNGR)
        {
            return Ending::NotInstalled;
        }
        let end = match status {
            Some(status) if has_exited => format!("it ended with {status}"),
            _ => "it closed its output and was killed".to_owned(),
        };
        let reason = match last_words.as_str() {
            "" => end,
            words => format!("{end}; its last words: {words}"),
        };
        Ending::Died { reason, lasted }
    }
}

impl View {
    fn begin(&mut self) {
        self.last_words = None;
        self.feed.begin();
        if !self.is_missed {
            self.shared.running();
        }
    }

    /// Reads until nothing more is to be expected.
    async fn follow(&mut self, child: &mut Child) {
        loop {
            match child.next().await {
                Deed::EventsEnded | Deed::Exited => return,
                deed => self.see(deed),
            }
        }
    }

    /// Reads what is left.
    async fn rest(&mut self, child: &mut Child) {
        while !child.is_over() {
            self.see(child.next().await);
        }
    }

    fn see(&mut self, deed: Deed<'_>) {
        match deed {
            Deed::Event(line) => {
                if std::mem::take(&mut self.is_missed) {
                    tracing::info!("mngr is there now; its agents are followed");
                    self.shared.running();
                }
                self.feed.event(&line);
            }
            Deed::Diagnostic(line) => {
                if let Some(text) = self.feed.diagnostic(&line) {
                    self.last_words = Some(text);
                }
            }
            Deed::EventsEnded | Deed::DiagnosticsEnded | Deed::Exited => {}
        }
    }

    fn died(&mut self, reason: &str, wait: Duration) {
        self.is_missed = false;
        tracing::warn!(
            "mngr no longer observes: {reason}; it is started again in {:.1} s, and what is known of agents stays",
            wait.as_secs_f64()
        );
        self.shared.waiting(wait, reason.to_owned());
    }

    fn missed(&mut self, program: &Path) {
        if !std::mem::replace(&mut self.is_missed, true) {
            tracing::warn!(
                "mngr is not installed ('{}' is not found), so no agents are discovered; everything else works. Install it \
                 with `uv tool install imbue-mngr` or `pip install imbue-mngr`, or name it with --mngr-binary; it is looked \
                 for every {} s",
                program.display(),
                SEARCH.as_secs()
            );
        }
        self.shared.not_installed();
    }
}

/// Waits until something is ordered. The owner never goes without an order.
async fn order(orders: &mut watch::Receiver<Order>) {
    if orders.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;

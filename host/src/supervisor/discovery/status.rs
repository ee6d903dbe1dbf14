//! How discovery is doing, for people and for `status`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How discovery is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryStatus {
    pub observe: ObserveState,
    /// How many agents are known, each counted once a host.
    pub agents: usize,
    /// When mngr last said something.
    pub last_event_at: Option<Timestamp>,
}

/// What the process that observes is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ObserveState {
    /// The first process is about to run.
    Starting,
    Running {
        since: Timestamp,
    },
    /// It ended, and is started again at a time.
    Waiting {
        until: Timestamp,
        /// Why it ended.
        error: String,
    },
    /// There is no mngr; it is looked for from time to time.
    NotInstalled,
    /// Ended for good.
    Stopped,
}

/// The status, written by the task that observes and read by anybody.
#[derive(Debug)]
pub(super) struct Shared(watch::Sender<DiscoveryStatus>);

impl Shared {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(DiscoveryStatus {
            observe: ObserveState::Starting,
            agents: 0,
            last_event_at: None,
        }))
    }

    pub(super) fn get(&self) -> DiscoveryStatus {
        self.0.borrow().clone()
    }

    /// Changes with everything but the time of the last event.
    pub(super) fn changes(&self) -> watch::Receiver<DiscoveryStatus> {
        self.0.subscribe()
    }

    pub(super) fn running(&self) {
        self.enter(ObserveState::Running {
            since: Timestamp::now(),
        });
    }

    pub(super) fn waiting(&self, wait: Duration, error: String) {
        let until = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
        self.enter(ObserveState::Waiting { until, error });
    }

    pub(super) fn not_installed(&self) {
        self.enter(ObserveState::NotInstalled);
    }

    pub(super) fn stopped(&self) {
        self.enter(ObserveState::Stopped);
    }

    /// mngr said something, and so many agents are known now.
    pub(super) fn heard(&self, agents: usize) {
        self.0.send_if_modified(|status| {
            status.last_event_at = Some(Timestamp::now());
            std::mem::replace(&mut status.agents, agents) != agents
        });
    }

    fn enter(&self, state: ObserveState) {
        self.0.send_if_modified(|status| {
            let is_new = status.observe != state;
            status.observe = state;
            is_new
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_read_it_as_json() {
        let shared = Shared::new();
        let read = |shared: &Shared| serde_json::to_value(shared.get()).unwrap();
        let starting =
            json!({"observe": {"state": "starting"}, "agents": 0, "last_event_at": null});
        assert_eq!(read(&shared), starting);
        shared.not_installed();
        assert_eq!(read(&shared)["observe"], json!({"state": "not_installed"}));
        shared.waiting(Duration::from_secs(1), "it died".into());
        let waiting = read(&shared);
        assert_eq!(waiting["observe"]["state"], "waiting");
        assert_eq!(waiting["observe"]["error"], "it died");
        shared.running();
        shared.heard(3);
        let running = read(&shared);
        assert_eq!(running["agents"], 3);
        for time in [
            &waiting["observe"]["until"],
            &running["observe"]["since"],
            &running["last_event_at"],
        ] {
            let time = time.as_str().unwrap();
            assert!(
                time.parse::<Timestamp>().is_ok() && time.ends_with('Z'),
                "{time}"
            );
        }
    }
}

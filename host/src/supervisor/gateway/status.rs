//! What is known about the gateway's child.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a child is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayState {
    /// There is a process, which does not accept yet.
    Starting,
    /// It accepts, and answers health checks.
    Serving,
    /// It has failed, and the next one is due.
    Waiting,
    /// It lets requests finish and ends.
    Stopping,
}

/// For people and programs that look at a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    pub state: GatewayState,
    /// When it came into this state.
    pub since: Timestamp,
    pub pid: Option<i32>,
    /// How many children have failed.
    pub failures: u32,
    /// Why the last of them did.
    pub last_error: Option<String>,
    pub next_attempt: Option<Timestamp>,
}

impl GatewayStatus {
    pub(super) fn starting() -> Self {
        Self {
            state: GatewayState::Starting,
            since: Timestamp::now(),
            pid: None,
            failures: 0,
            last_error: None,
            next_attempt: None,
        }
    }

    pub fn is_serving(&self) -> bool {
        self.state == GatewayState::Serving
    }

    pub(super) fn started(&mut self, pid: Option<i32>) {
        self.enter(GatewayState::Starting);
        self.pid = pid;
    }

    pub(super) fn serves(&mut self) {
        self.enter(GatewayState::Serving);
    }

    pub(super) fn stops(&mut self) {
        self.enter(GatewayState::Stopping);
    }

    pub(super) fn failed(&mut self, error: &impl fmt::Display, pause: Duration) {
        self.enter(GatewayState::Waiting);
        self.pid = None;
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error.to_string());
        self.next_attempt = self.since.checked_add(pause).ok();
    }

    fn enter(&mut self, state: GatewayState) {
        self.state = state;
        self.since = Timestamp::now();
        self.next_attempt = None;
    }
}

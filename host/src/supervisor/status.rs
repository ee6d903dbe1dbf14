//! What a running supervisor says about itself, in a file: `status` and embedders read it without asking the process.
//!
//! The file is replaced after changes, a few times a second at most, and goes with the supervisor. One that a crash left
//! behind names a process that does not run any more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::discovery::DiscoveryStatus;
use super::gateway::GatewayStatus;
use super::tunnels::{HostStatus, TunnelManager};
use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;

/// Changes that come together are written together.
const PAUSE: Duration = Duration::from_millis(250);
/// What changes all the time, the moment of the last event for instance, need not be exact.
const REFRESH: Duration = Duration::from_secs(15);
/// How old a file may become of which everything is still true.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(60);
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// A supervisor, its gateway, what it follows and what it keeps connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub pid: i32,
    pub started_at: Timestamp,
    /// When the supervisor was last seen to be well enough to say so.
    pub written_at: Timestamp,
    pub version: String,
    /// `http://127.0.0.1:<port>`
    pub gateway_url: String,
    pub gateway: GatewayStatus,
    pub discovery: DiscoveryStatus,
    pub hosts: Vec<HostStatus>,
}

impl Status {
    /// Of the supervisor that `record` names; none while it has not said anything yet.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn load(
        directory: &LatchkeyDirectory,
        record: &Record,
    ) -> Result<Option<Self>, StorageError> {
        let found = durable::read(&directory.supervisor_status(), SIZE_LIMIT)?;
        Ok(found
            .and_then(|(text, _)| serde_json::from_slice::<Self>(&text).ok())
            .filter(|status| status.pid == record.pid))
    }

    /// Whether it says nothing new, and the last one is not old yet.
    fn repeats(&self, last: &Self) -> bool {
        let age = self.written_at.duration_since(last.written_at);
        let same_time = Self {
            written_at: last.written_at,
            ..self.clone()
        };
        age < HEARTBEAT && same_time == *last
    }

    fn save(&self, directory: &LatchkeyDirectory) -> Result<(), StorageError> {
        let path = directory.supervisor_status();
        let text = serde_json::to_vec(self)
            .map_err(|error| StorageError::new("write", &path, error.into()))?;
        durable::write(&path, &text, PRIVATE_FILE)
    }
}

/// Where a running supervisor's status comes from.
pub(super) struct Sources {
    pub directory: LatchkeyDirectory,
    pub pid: i32,
    pub started_at: Timestamp,
    pub gateway_url: String,
    pub gateway: watch::Receiver<GatewayStatus>,
    pub discovery: watch::Receiver<DiscoveryStatus>,
    pub tunnels: TunnelManager,
}

impl Sources {
    /// Keeps the file up to date. Never ends.
    pub(super) async fn publish(mut self) {
        let mut tunnels = self.tunnels.changes();
        let mut written: Option<Status> = None;
        loop {
            let status = self.collect();
            if written.as_ref().is_none_or(|last| !status.repeats(last)) {
                let (directory, content) = (self.directory.clone(), status.clone());
                let saved = tokio::task::spawn_blocking(move || content.save(&directory)).await;
                match saved {
                    Ok(Err(error)) => {
                        tracing::warn!("the supervisor's status is not up to date: {error}");
                    }
                    _ => written = Some(status),
                }
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                _ = self.gateway.changed() => {}
                _ = tunnels.changed() => {}
                _ = self.discovery.changed() => {}
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    fn collect(&mut self) -> Status {
        Status {
            pid: self.pid,
            started_at: self.started_at,
            written_at: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            gateway_url: self.gateway_url.clone(),
            gateway: self.gateway.borrow_and_update().clone(),
            discovery: self.discovery.borrow_and_update().clone(),
            hosts: self.tunnels.status(),
        }
    }
}

//! What a running supervisor says about itself, in a file: `status` and embedders read it without asking the process.
//!
//! The file is replaced after changes, a few times a second at most, and goes with the supervisor. One that a crash left
//! behind names a process that does not run any more.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::discovery::{Discovery, DiscoveryStatus};
use super::gateway::GatewayStatus;
use super::tunnels::{HostStatus, TunnelManager};
use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;

/// Changes that come together are written together.
const PAUSE: Duration = Duration::from_millis(250);
/// What changes all the time, the moment of the last event for instance, need not be exact.
const REFRESH: Duration = Duration::from_secs(15);
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// A supervisor, its gateway, what it follows and what it keeps connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub pid: i32,
    pub started_at: Timestamp,
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

    fn save(&self, directory: &LatchkeyDirectory) -> Result<(), StorageError> {
        let path = directory.supervisor_status();
        let text = serde_json::to_vec(self)
            .map_err(|error| StorageError::new("write", &path, error.into()))?;
        durable::write(&path, &text, PRIVATE_FILE)
    }
}

/// Where a running supervisor's status comes from.
pub(super) struct Sources<'a> {
    pub directory: &'a LatchkeyDirectory,
    pub record: &'a Record,
    pub gateway_url: String,
    pub gateway: watch::Receiver<GatewayStatus>,
    pub discovery: &'a Discovery,
    pub tunnels: &'a TunnelManager,
}

impl Sources<'_> {
    /// Keeps the file up to date. Never ends.
    pub(super) async fn publish(mut self) {
        let mut tunnels = self.tunnels.changes();
        let mut discovery = self.discovery.changes();
        let mut written = None;
        loop {
            let status = self.collect();
            if written.as_ref() != Some(&status) {
                let (directory, content) = (self.directory.clone(), status.clone());
                let saved = tokio::task::spawn_blocking(move || content.save(&directory)).await;
                if let Ok(Err(error)) = saved {
                    tracing::warn!("the supervisor's status is not up to date: {error}");
                }
                written = Some(status);
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                _ = self.gateway.changed() => {}
                _ = tunnels.changed() => {}
                _ = discovery.changed() => {}
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    fn collect(&mut self) -> Status {
        Status {
            pid: self.record.pid,
            started_at: self.record.started_at.parse().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            gateway_url: self.gateway_url.clone(),
            gateway: self.gateway.borrow_and_update().clone(),
            discovery: self.discovery.status(),
            hosts: self.tunnels.status(),
        }
    }
}

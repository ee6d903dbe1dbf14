//! The real thing behind [`Connector`] and [`Link`]: SSH connections.

use std::path::PathBuf;
use std::sync::Arc;

use super::connection::{ConnectError, Connection, ForwardError, ProbeError};
use super::link::{Connector, Forward, ForwardFailure, Link, OpenFailure, Verdict};
use super::predecessor::{self, Ending, SessionIdentity};
use super::spill::SpillSpace;
use crate::supervisor::ssh_info::SshInfo;

/// Connects by SSH. What the local side does not read is kept in files meanwhile.
pub(super) struct Ssh {
    spill: Arc<SpillSpace>,
}

impl Ssh {
    /// `spill_directory` is private to its user, and no file system in memory.
    pub(super) fn new(spill_directory: PathBuf) -> Self {
        Self {
            spill: SpillSpace::new(spill_directory),
        }
    }
}

impl Connector for Ssh {
    type Link = Connection;

    async fn open(&self, ssh: &SshInfo) -> Result<Connection, OpenFailure> {
        Connection::open(ssh, &self.spill)
            .await
            .map_err(|error| OpenFailure {
                refused: needs_the_operator(&error),
                text: error.to_string(),
            })
    }
}

/// Whether the key file or `known_hosts` has to change before it can work.
fn needs_the_operator(error: &ConnectError) -> bool {
    match error {
        ConnectError::HostKey { .. }
        | ConnectError::PrivateKey { .. }
        | ConnectError::AuthenticationRefused { .. } => true,
        ConnectError::Resolve { .. }
        | ConnectError::Unreachable { .. }
        | ConnectError::ConnectTimedOut { .. }
        | ConnectError::HandshakeTimedOut { .. }
        | ConnectError::Handshake { .. }
        | ConnectError::Interrupted { .. } => false,
    }
}

impl Link for Connection {
    async fn forward(&self, forward: Forward) -> Result<(), ForwardFailure> {
        self.forward(forward.remote_port, forward.target)
            .await
            .map_err(|error| match error {
                ForwardError::PortHeld(_) => ForwardFailure::Held(error.to_string()),
                ForwardError::NotForwarded(_)
                | ForwardError::TimedOut(_)
                | ForwardError::Disconnected(_) => ForwardFailure::Failed(error.to_string()),
            })
    }

    async fn cancel(&self, remote_port: u16) -> Result<(), String> {
        self.cancel(remote_port)
            .await
            .map_err(|error| error.to_string())
    }

    async fn closed(&self) -> String {
        self.closed().await.to_string()
    }

    async fn probe(&self, remote_port: u16) -> Verdict {
        match self.probe(remote_port).await {
            Ok(()) => Verdict::Passed,
            Err(ProbeError::NotPermitted) => Verdict::NotPermitted,
            Err(error @ ProbeError::GatewayAway) => Verdict::GatewayAway(error.to_string()),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }

    async fn identify(&self) -> Result<SessionIdentity, String> {
        let output = self
            .run(&predecessor::identify_command())
            .await
            .map_err(|error| error.to_string())?;
        SessionIdentity::parse(&output).map_err(|error| error.to_string())
    }

    async fn free(
        &self,
        predecessor: &SessionIdentity,
        remote_port: u16,
    ) -> Result<Ending, String> {
        let output = self
            .run(&predecessor::end_command(predecessor, remote_port))
            .await
            .map_err(|error| error.to_string())?;
        Ending::parse(&output).map_err(|error| error.to_string())
    }

    async fn close(self) {
        self.close().await;
    }
}

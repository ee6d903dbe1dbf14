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

fn verdict(outcome: Result<(), ProbeError>) -> Verdict {
    let error = match outcome {
        Ok(()) => return Verdict::Passed,
        Err(error) => error,
    };
    match error {
        ProbeError::NotPermitted => Verdict::NotPermitted,
        // The request did come through: a gateway that is too busy to answer must not cost all hosts their tunnels.
        ProbeError::GatewayAway | ProbeError::NoAnswer(_) => {
            Verdict::GatewayAway(error.to_string())
        }
        ProbeError::NotListening(_)
        | ProbeError::NotOurs(_)
        | ProbeError::NotGateway { .. }
        | ProbeError::Refused(_)
        | ProbeError::Disconnected(_) => Verdict::Failed(error.to_string()),
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
        verdict(self.probe(remote_port).await)
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn only_what_speaks_against_the_tunnel_condemns_it() {
        let condemns = |error| matches!(verdict(Err(error)), Verdict::Failed(_));
        assert!(condemns(ProbeError::NotListening(1989)));
        assert!(condemns(ProbeError::NotOurs(1989)));
        assert!(!condemns(ProbeError::NotPermitted));
        assert!(!condemns(ProbeError::GatewayAway));
        assert!(!condemns(ProbeError::NoAnswer(1989)));
        assert_eq!(verdict(Ok(())), Verdict::Passed);
    }

    #[test]
    fn a_refused_key_waits_for_the_operator_and_a_dead_host_for_itself() {
        let ssh = SshInfo {
            user: "root".to_owned(),
            host: "10.0.0.1".to_owned(),
            port: 22,
            key_path: "/keys/id".into(),
            known_hosts_path: None,
        };
        let refused = ConnectError::AuthenticationRefused {
            ssh: ssh.clone(),
            key_path: ssh.key_path.clone(),
            accepted: String::new(),
        };
        assert!(needs_the_operator(&refused), "{refused}");
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let dead = ConnectError::Unreachable { ssh, source };
        assert!(!needs_the_operator(&dead), "{dead}");
    }
}

//! What the state machine of a host needs of SSH: so little that a script can stand in for it.

use std::net::SocketAddr;

use super::predecessor::{Ending, SessionIdentity};
use crate::supervisor::ssh_info::SshInfo;

/// A port of the agent host's loopback address, and the gateway that its connections lead to. Anything else than a gateway
/// would be taken for a tunnel that does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Forward {
    /// The port on the agent host's `127.0.0.1`.
    pub remote_port: u16,
    /// The gateway's address on this machine.
    pub target: SocketAddr,
}

/// Opens connections to agent hosts.
pub(super) trait Connector: Send + Sync + 'static {
    type Link: Link;

    /// Connects and authenticates; gives up by itself after a time.
    fn open(&self, ssh: &SshInfo) -> impl Future<Output = Result<Self::Link, OpenFailure>> + Send;
}

/// One authenticated connection. Its futures may be dropped at any time.
pub(super) trait Link: Send + Sync + 'static {
    /// Asks the host to listen.
    fn forward(&self, forward: Forward) -> impl Future<Output = Result<(), ForwardFailure>> + Send;

    /// Asks the host to stop listening.
    fn cancel(&self, remote_port: u16) -> impl Future<Output = Result<(), String>> + Send;

    /// Ends with the connection, and says why it ended.
    fn closed(&self) -> impl Future<Output = String> + Send;

    /// Sends a request through the tunnel.
    fn probe(&self, remote_port: u16) -> impl Future<Output = Verdict> + Send;

    /// Which process on the host serves this connection, and so holds its ports.
    fn identify(&self) -> impl Future<Output = Result<SessionIdentity, String>> + Send;

    /// Ends an earlier session of ours, if it is still that process and holds the port.
    fn free(
        &self,
        predecessor: &SessionIdentity,
        remote_port: u16,
    ) -> impl Future<Output = Result<Ending, String>> + Send;

    /// Takes leave of the host and ends the connection.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenFailure {
    pub(super) text: String,
    /// Whether the key file or `known_hosts` has to change first.
    pub(super) refused: bool,
}

/// Why the host does not listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForwardFailure {
    /// The host denies the port.
    Held(String),
    /// The connection is of no use.
    Failed(String),
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The gateway answered.
    Passed,
    /// The host forbids probes.
    NotPermitted,
    /// The tunnel works, the gateway behind it does not answer.
    GatewayAway(String),
    /// The tunnel does not work.
    Failed(String),
}

//! What an operator is told about a connection: what happened, with which host, and what to do.

use std::io;
use std::path::PathBuf;

use crate::supervisor::ssh_info::SshInfo;
use crate::supervisor::tunnels::known_hosts::HostKeyError;
use crate::supervisor::tunnels::private_key::PrivateKeyError;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(
        "the name of {ssh} cannot be resolved: {source}; check the host name and this machine's DNS"
    )]
    Resolve { ssh: SshInfo, source: io::Error },
    #[error(
        "{ssh} cannot be reached: {source}; check that the host runs and its sshd listens on that port"
    )]
    Unreachable { ssh: SshInfo, source: io::Error },
    #[error(
        "{ssh} did not accept a connection within {seconds} seconds; check that the host runs and no firewall is in between"
    )]
    ConnectTimedOut { ssh: SshInfo, seconds: u64 },
    #[error(
        "{ssh} did not finish {phase} within {seconds} seconds; check that it is an SSH server and not overloaded"
    )]
    HandshakeTimedOut {
        ssh: SshInfo,
        phase: Phase,
        seconds: u64,
    },
    #[error("{ssh} ended the connection during {phase}: {reason}")]
    Handshake {
        ssh: SshInfo,
        phase: Phase,
        reason: String,
    },
    #[error("no connection to {ssh}: {source}")]
    HostKey { ssh: SshInfo, source: HostKeyError },
    #[error("no connection to {ssh}: {source}")]
    PrivateKey {
        ssh: SshInfo,
        source: PrivateKeyError,
    },
    /// The process is about to end.
    #[error("no connection to {ssh}: {source}")]
    Interrupted { ssh: SshInfo, source: io::Error },
    #[error(
        "{ssh} refused the key {}{}; check that its public key is in the authorized_keys of that user",
        key_path.display(), Accepted(accepted)
    )]
    AuthenticationRefused {
        ssh: SshInfo,
        key_path: PathBuf,
        /// The ways to authenticate that the host would take.
        accepted: String,
    },
}

struct Accepted<'a>(&'a str);

impl std::fmt::Display for Accepted<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, " (it takes: {})", self.0)
    }
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Phase {
    #[error("the key exchange")]
    KeyExchange,
    #[error("the authentication")]
    Authentication,
}

/// Why the host does not listen, or goes on listening.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    /// All that a host says is no; a port in use is by far the most common reason.
    #[error(
        "the host refuses to listen on 127.0.0.1:{0}: something else has that port there, or its sshd_config forbids \
         it (AllowTcpForwarding, PermitListen)"
    )]
    PortHeld(u16),
    #[error("the host does not know of a forward of 127.0.0.1:{0}")]
    NotForwarded(u16),
    #[error("the host did not answer the request about 127.0.0.1:{0} in time")]
    TimedOut(u16),
    #[error("the connection ended: {0}")]
    Disconnected(Disconnected),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Disconnected {
    #[error("it was closed here")]
    Closed,
    #[error("the host closed it: {0}")]
    ByHost(String),
    #[error("the host stopped answering")]
    Silent,
    #[error("it broke: {0}")]
    Lost(String),
    #[error("the protocol failed: {0}")]
    Protocol(String),
    #[error("it is worn out: this side had to close too many of its channels")]
    WornOut,
}

impl From<russh::Error> for Disconnected {
    fn from(error: russh::Error) -> Self {
        match error {
            russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => Self::Silent,
            russh::Error::IO(error) => Self::Lost(error.to_string()),
            russh::Error::HUP | russh::Error::Disconnect => {
                Self::Lost("the host closed it without a word".to_owned())
            }
            error => Self::Protocol(printable(&error.to_string())),
        }
    }
}

/// How much is repeated of what a host says.
const REPEATED: usize = 200;

/// What a host says, fit for a log: on one line, without control characters, and not long.
pub(in crate::supervisor::tunnels) fn printable(text: &str) -> String {
    let mut characters = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control());
    let mut shown: String = characters.by_ref().take(REPEATED).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_comes_without_escapes_and_on_one_line() {
        assert_eq!(
            printable("\x1b[31mred\x1b[0m\r\nnext\u{9b}2J"),
            "[31mred[0m  next2J"
        );
    }

    #[test]
    fn what_a_host_says_is_cut() {
        let shown = printable(&"é".repeat(1000));
        assert_eq!(shown.chars().count(), REPEATED + 1, "{shown}");
        assert_eq!(printable(&"x".repeat(REPEATED)), "x".repeat(REPEATED));
    }
}

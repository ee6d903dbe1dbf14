//! What is known of a host's tunnel, for people and for `status --format json`.

use std::fmt;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::ids::{AgentId, HostId};

/// One host: its tunnel and the agents that share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    pub host: HostId,
    /// `user@host:port` of its sshd.
    pub address: String,
    pub agents: Vec<AgentId>,
    #[serde(flatten)]
    pub progress: Progress,
}

/// How far the tunnel has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub state: TunnelState,
    /// When it came into this state.
    pub since: Timestamp,
    /// Attempts that failed since it was last up for a while.
    pub attempts: u32,
    /// When the next attempt is due: to connect, or to get the port.
    pub next_attempt: Option<Timestamp>,
    /// What went wrong last, even if all is well by now.
    pub last_error: Option<String>,
    pub last_error_at: Option<Timestamp>,
    pub verified: Verified,
    /// When a request last went through the tunnel to the gateway.
    pub last_verified: Option<Timestamp>,
}

/// The state of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelState {
    /// Between two attempts to connect.
    Waiting,
    /// Between two attempts, and no attempt can succeed before somebody changes the key file or `known_hosts`.
    Refused,
    /// Connecting, authenticating, or asking for the port.
    Connecting,
    /// Connected, but the host denies the port: somebody else listens there, as a rule a dead session of ours.
    PortHeld,
    /// Connected, with every port that is wanted.
    Up,
    /// No agent needs it any more.
    Closing,
}

/// Whether requests were seen to pass the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The last probe reached the gateway.
    Yes,
    /// No probe was made yet on this connection, or the last one failed.
    No,
    /// The host forbids probes (`AllowTcpForwarding remote`, `PermitOpen`).
    NotPermitted,
}

impl Progress {
    /// Of a host that was just heard of.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            state: TunnelState::Connecting,
            since,
            attempts: 0,
            next_attempt: None,
            last_error: None,
            last_error_at: None,
            verified: Verified::No,
            last_verified: None,
        }
    }
}

impl fmt::Display for TunnelState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Connecting => "connecting",
            Self::PortHeld => "port held",
            Self::Up => "up",
            Self::Closing => "closing",
        })
    }
}

const NOT_PERMITTED: &str = "not permitted";

/// `true`, `false` or `"not permitted"`.
impl Serialize for Verified {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Yes => serializer.serialize_bool(true),
            Self::No => serializer.serialize_bool(false),
            Self::NotPermitted => serializer.serialize_str(NOT_PERMITTED),
        }
    }
}

impl<'de> Deserialize<'de> for Verified {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Known(bool),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Known(true) => Ok(Self::Yes),
            Written::Known(false) => Ok(Self::No),
            Written::Text(text) if text == NOT_PERMITTED => Ok(Self::NotPermitted),
            Written::Text(text) => Err(D::Error::custom(format!(
                "expected true, false or \"{NOT_PERMITTED}\", got \"{text}\""
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(verified: Verified) -> HostStatus {
        let since: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        HostStatus {
            host: HostId::parse(&format!("host-{}", "1".repeat(32))).unwrap(),
            address: "root@127.0.0.1:2222".to_owned(),
            agents: vec![AgentId::parse(&format!("agent-{}", "2".repeat(32))).unwrap()],
            progress: Progress {
                state: TunnelState::PortHeld,
                verified,
                next_attempt: Some(since),
                ..Progress::new(since)
            },
        }
    }

    #[test]
    fn a_status_is_one_flat_object_with_times_in_rfc_3339() {
        let written = serde_json::to_value(status(Verified::Yes)).unwrap();
        assert_eq!(
            written,
            json!({
                "host": "host-11111111111111111111111111111111",
                "address": "root@127.0.0.1:2222",
                "agents": ["agent-22222222222222222222222222222222"],
                "state": "port-held",
                "since": "2026-01-02T03:04:05Z",
                "attempts": 0,
                "next_attempt": "2026-01-02T03:04:05Z",
                "last_error": null,
                "last_error_at": null,
                "verified": true,
                "last_verified": null,
            })
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        for verified in [Verified::Yes, Verified::No, Verified::NotPermitted] {
            let status = status(verified);
            let text = serde_json::to_string(&status).unwrap();
            assert_eq!(
                serde_json::from_str::<HostStatus>(&text).unwrap(),
                status,
                "{text}"
            );
        }
        let broken = serde_json::to_string(&status(Verified::Yes))
            .unwrap()
            .replace("\"verified\":true", "\"verified\":\"perhaps\"");
        assert!(
            serde_json::from_str::<HostStatus>(&broken).is_err(),
            "{broken}"
        );
    }
}

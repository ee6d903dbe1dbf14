//! What mngr says, one JSON object a line.
//!
//! Two generations are understood: one snapshot of everything (`DISCOVERY_FULL`), and one a provider
//! (`DISCOVERY_PROVIDER`). Members and types that are not known are ignored. A line is refused as a whole when something in it
//! is missing or wrong that its meaning hangs on. A single wrong element of a list is left out and reported as a flaw; where it
//! still names an agent, that agent counts as unknown, so that nobody takes it for gone.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::sieve;
use crate::store::ids::{AgentId, HostId, IdError};
use crate::supervisor::ssh_info::SshInfo;

/// A line that could be read.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed {
    pub(super) event: Event,
    /// What was left out of it, and why.
    pub(super) flaws: Vec<Refusal>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Event {
    AgentDiscovered {
        at: Timestamp,
        agent: Agent,
    },
    HostDiscovered {
        at: Timestamp,
        host: HostId,
        ssh: Option<SshInfo>,
    },
    AgentDestroyed {
        at: Timestamp,
        agent: AgentId,
        host: HostId,
    },
    HostDestroyed {
        at: Timestamp,
        host: HostId,
        agents: Vec<AgentId>,
    },
    HostSsh {
        at: Timestamp,
        host: HostId,
        ssh: SshInfo,
    },
    Error(Failure),
    Snapshot(Snapshot),
}

/// An agent on one host. During a migration mngr knows one agent on two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) host: HostId,
    pub(super) name: String,
    pub(super) provider: String,
}

/// What mngr found when it looked.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) scope: Scope,
    pub(super) agents: Vec<Agent>,
    pub(super) ssh: Vec<(HostId, SshInfo)>,
    /// Not looked at in time, or not readable here: neither there nor gone.
    pub(super) unknown_agents: Vec<AgentId>,
    pub(super) unknown_hosts: Vec<HostId>,
}

/// What a snapshot speaks for.
#[derive(Debug, PartialEq)]
pub(super) enum Scope {
    Everything {
        /// The providers that could not be asked.
        failed: Vec<Failure>,
        /// The same for two snapshots only when one is a replay of the other.
        fingerprint: u64,
    },
    Provider {
        name: String,
        failed: Option<Failure>,
        /// What happened to an item at this time or later is newer than the snapshot.
        began: Timestamp,
    },
}

/// Something that went wrong on mngr's side.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    /// Provider, host or agent.
    pub(super) source: String,
    pub(super) message: String,
}

impl Failure {
    /// In the same words whichever way mngr tells it: it tells one trouble in several.
    fn new(source: &str, kind: Option<&str>, message: Option<&str>) -> Self {
        let message = match (kind, message.filter(|message| !message.is_empty())) {
            (Some(kind), Some(message)) => format!("{kind}: {message}"),
            (Some(only), None) | (None, Some(only)) => only.to_owned(),
            (None, None) => "an error without a message".to_owned(),
        };
        Self {
            source: source.to_owned(),
            message,
        }
    }
}

/// Why a line, or an element of one, is not used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error("{0} is not an object")]
    NotAnObject(&'static str),
    #[error("'{0}' is missing or of a wrong type")]
    Member(&'static str),
    #[error("'{member}' is no time: '{value}'")]
    Time { member: &'static str, value: String },
    #[error("{0}")]
    Id(#[from] IdError),
    #[error("'ssh' says no way to reach the host: {0}")]
    Ssh(String),
}

/// The event in a line. None where the type of the event means nothing here.
pub(super) fn parse(line: &[u8]) -> Result<Option<Parsed>, Refusal> {
    let line_value = sieve::sift(line).map_err(|error| Refusal::NotJson(error.to_string()))?;
    let Value::Object(members) = line_value else {
        return Err(Refusal::NotAnObject("it"));
    };
    let members = Members(&members);
    let mut flaws = Vec::new();
    let event = match members.text("type")? {
        "AGENT_DISCOVERED" => Event::AgentDiscovered {
            at: members.time("timestamp")?,
            agent: agent(members.object("agent")?, None)?,
        },
        "HOST_DISCOVERED" => {
            let host = members.object("host")?;
            Event::HostDiscovered {
                at: members.time("timestamp")?,
                host: host.host_id()?,
                ssh: embedded_ssh(host, &mut flaws),
            }
        }
        "AGENT_DESTROYED" => Event::AgentDestroyed {
            at: members.time("timestamp")?,
            agent: members.agent_id()?,
            host: members.host_id()?,
        },
        "HOST_DESTROYED" => Event::HostDestroyed {
            at: members.time("timestamp")?,
            host: members.host_id()?,
            agents: members.ids("agent_ids", AgentId::parse, &mut flaws)?,
        },
        "HOST_SSH_INFO" => Event::HostSsh {
            at: members.time("timestamp")?,
            host: members.host_id()?,
            ssh: ssh_info(members.0.get("ssh").ok_or(Refusal::Member("ssh"))?)?,
        },
        "DISCOVERY_ERROR" => {
            let source = members
                .optional_text("provider_name")
                .map_or_else(|| members.text("source_name"), Ok)?;
            let message = members.text("error_message")?;
            Event::Error(Failure::new(
                source,
                members.optional_text("error_type"),
                Some(message),
            ))
        }
        "DISCOVERY_FULL" => Event::Snapshot(everything(members, line, &mut flaws)?),
        "DISCOVERY_PROVIDER" => Event::Snapshot(of_provider(members, &mut flaws)?),
        _ => return Ok(None),
    };
    Ok(Some(Parsed { event, flaws }))
}

fn everything(
    members: Members<'_>,
    line: &[u8],
    flaws: &mut Vec<Refusal>,
) -> Result<Snapshot, Refusal> {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    let failed = match members.0.get("error_by_provider_name") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(errors)) => errors
            .iter()
            .map(|(provider, error)| failure(provider, error))
            .collect(),
        Some(_) => return Err(Refusal::Member("error_by_provider_name")),
    };
    let scope = Scope::Everything {
        failed,
        fingerprint: hasher.finish(),
    };
    snapshot(members, scope, flaws)
}

fn of_provider(members: Members<'_>, flaws: &mut Vec<Refusal>) -> Result<Snapshot, Refusal> {
    let name = members.text("provider_name")?;
    let failed = members
        .0
        .get("error")
        .filter(|error| !error.is_null())
        .map(|error| failure(name, error));
    let scope = Scope::Provider {
        name: name.to_owned(),
        failed,
        began: members.time("discovery_started_at")?,
    };
    snapshot(members, scope, flaws)
}

fn snapshot(
    members: Members<'_>,
    scope: Scope,
    flaws: &mut Vec<Refusal>,
) -> Result<Snapshot, Refusal> {
    let provider = match &scope {
        Scope::Everything { .. } => None,
        // Whatever an agent itself says: this is the provider that will tell when it is gone.
        Scope::Provider { name, .. } => Some(name.as_str()),
    };
    let mut unknown_agents = members.ids("unknown_agent_ids", AgentId::parse, flaws)?;
    let unknown_hosts = members.ids("unknown_host_ids", HostId::parse, flaws)?;
    let mut agents = Vec::new();
    for element in members.list("agents")? {
        match Members::of(element, "an agent").and_then(|members| agent(members, provider)) {
            Ok(agent) => agents.push(agent),
            Err(flaw) => {
                flaws.push(flaw);
                unknown_agents.extend(
                    element
                        .get("agent_id")
                        .and_then(Value::as_str)
                        .and_then(|id| AgentId::parse(id).ok()),
                );
            }
        }
    }
    let mut ssh = Vec::new();
    for element in members.list("hosts")? {
        match Members::of(element, "a host")
            .and_then(|members| Ok((members.host_id()?, embedded_ssh(members, flaws))))
        {
            Ok((host, found)) => ssh.extend(found.map(|found| (host, found))),
            Err(flaw) => flaws.push(flaw),
        }
    }
    Ok(Snapshot {
        scope,
        agents,
        ssh,
        unknown_agents,
        unknown_hosts,
    })
}

fn agent(members: Members<'_>, provider: Option<&str>) -> Result<Agent, Refusal> {
    Ok(Agent {
        id: members.agent_id()?,
        host: members.host_id()?,
        name: members
            .optional_text("agent_name")
            .unwrap_or_default()
            .to_owned(),
        provider: provider
            .map_or_else(|| members.text("provider_name"), Ok)?
            .to_owned(),
    })
}

/// What a host object may say about how to reach it; one without is as usual.
fn embedded_ssh(host: Members<'_>, flaws: &mut Vec<Refusal>) -> Option<SshInfo> {
    let ssh = host.0.get("ssh").filter(|ssh| !ssh.is_null())?;
    ssh_info(ssh).map_err(|flaw| flaws.push(flaw)).ok()
}

fn ssh_info(value: &Value) -> Result<SshInfo, Refusal> {
    let ssh: SshInfo =
        serde_json::from_value(value.clone()).map_err(|error| Refusal::Ssh(error.to_string()))?;
    let empty = [
        ("user", ssh.user.is_empty()),
        ("host", ssh.host.is_empty()),
        ("port", ssh.port == 0),
        ("key_path", ssh.key_path.as_os_str().is_empty()),
    ];
    match empty.iter().find(|(_, is_empty)| *is_empty) {
        Some((member, _)) => Err(Refusal::Ssh(format!("'{member}' is empty"))),
        None => Ok(ssh),
    }
}

fn failure(provider: &str, error: &Value) -> Failure {
    let text = |member| error.get(member).and_then(Value::as_str);
    Failure::new(provider, text("type_name"), text("message"))
}

/// The members of a JSON object.
#[derive(Clone, Copy)]
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn of(value: &'a Value, what: &'static str) -> Result<Self, Refusal> {
        value
            .as_object()
            .map(Self)
            .ok_or(Refusal::NotAnObject(what))
    }

    fn object(self, name: &'static str) -> Result<Self, Refusal> {
        let value = self.0.get(name).ok_or(Refusal::Member(name))?;
        value.as_object().map(Self).ok_or(Refusal::Member(name))
    }

    fn optional_text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn text(self, name: &'static str) -> Result<&'a str, Refusal> {
        self.optional_text(name).ok_or(Refusal::Member(name))
    }

    fn list(self, name: &'static str) -> Result<&'a [Value], Refusal> {
        let value = self.0.get(name).and_then(Value::as_array);
        value.map(Vec::as_slice).ok_or(Refusal::Member(name))
    }

    /// The ids in a list that may be absent; those that are none are left out.
    fn ids<T>(
        self,
        name: &'static str,
        parse: fn(&str) -> Result<T, IdError>,
        flaws: &mut Vec<Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        if self.0.get(name).is_none_or(Value::is_null) {
            return Ok(Vec::new());
        }
        let mut ids = Vec::new();
        for element in self.list(name)? {
            match element.as_str().map(parse) {
                Some(Ok(id)) => ids.push(id),
                Some(Err(error)) => flaws.push(error.into()),
                None => flaws.push(Refusal::Member(name)),
            }
        }
        Ok(ids)
    }

    fn agent_id(self) -> Result<AgentId, Refusal> {
        Ok(AgentId::parse(self.text("agent_id")?)?)
    }

    fn host_id(self) -> Result<HostId, Refusal> {
        Ok(HostId::parse(self.text("host_id")?)?)
    }

    /// ISO 8601 with any offset; UTC where there is none.
    fn time(self, name: &'static str) -> Result<Timestamp, Refusal> {
        let value = self.text(name)?;
        value
            .parse()
            .or_else(|error| {
                let local = value.parse::<DateTime>().map_err(|_| error)?;
                TimeZone::UTC.to_timestamp(local)
            })
            .map_err(|_: jiff::Error| Refusal::Time {
                member: name,
                value: value.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests;

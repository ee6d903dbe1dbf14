//! The lines of `mngr observe --discovery-only`, of both generations (contract section 6).

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

/// The provider of hosts that no test cares about.
pub const PROVIDER: &str = "docker";

/// An agent as discovery tells of it.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// `agent-` and 32 hexadecimal characters.
    pub agent_id: String,
    /// `host-` and 32 hexadecimal characters.
    pub host_id: String,
    /// Which provider its host is of.
    pub provider: String,
}

impl Discovered {
    /// An agent on a host of [`PROVIDER`].
    pub fn new(agent_id: &str, host_id: &str) -> Self {
        Self {
            agent_id: agent_id.to_owned(),
            host_id: host_id.to_owned(),
            provider: PROVIDER.to_owned(),
        }
    }

    /// The same of another provider.
    #[must_use]
    pub fn of(mut self, provider: &str) -> Self {
        provider.clone_into(&mut self.provider);
        self
    }

    fn agent(&self) -> Value {
        json!({
            "host_id": self.host_id,
            "agent_id": self.agent_id,
            "agent_name": format!("name of {}", self.agent_id),
            "provider_name": self.provider,
            "certified_data": {"type": "claude", "labels": {}},
        })
    }

    fn host(&self) -> Value {
        json!({
            "host_id": self.host_id,
            "host_name": format!("name of {}", self.host_id),
            "provider_name": self.provider,
            "host_state": "RUNNING",
        })
    }

    /// `AGENT_DISCOVERED`.
    pub fn agent_discovered(&self) -> Value {
        event("AGENT_DISCOVERED", json!({"agent": self.agent()}))
    }

    /// `HOST_DISCOVERED`.
    pub fn host_discovered(&self) -> Value {
        event("HOST_DISCOVERED", json!({"host": self.host()}))
    }

    /// `HOST_SSH_INFO` of its host.
    pub fn ssh_info(&self, ssh: &Value) -> Value {
        event(
            "HOST_SSH_INFO",
            json!({"host_id": self.host_id, "ssh": ssh}),
        )
    }

    /// `AGENT_DESTROYED`.
    pub fn agent_destroyed(&self) -> Value {
        event(
            "AGENT_DESTROYED",
            json!({"agent_id": self.agent_id, "host_id": self.host_id}),
        )
    }

    /// `HOST_DESTROYED`, with it as the only agent of its host.
    pub fn host_destroyed(&self) -> Value {
        event(
            "HOST_DESTROYED",
            json!({"host_id": self.host_id, "agent_ids": [self.agent_id]}),
        )
    }
}

/// `DISCOVERY_FULL`: everything there is, except of `failed` providers.
pub fn full<const N: usize>(agents: [&Discovered; N], failed: &[&str]) -> Value {
    let errors: Map<String, Value> = failed
        .iter()
        .map(|provider| ((*provider).to_owned(), provider_error(provider)))
        .collect();
    event(
        "DISCOVERY_FULL",
        json!({
            "agents": agents.map(Discovered::agent).as_slice(),
            "hosts": agents.map(Discovered::host).as_slice(),
            "providers": [],
            "error_by_provider_name": errors,
        }),
    )
}

/// `DISCOVERY_PROVIDER` of the newer generation: everything there is of one provider.
pub fn provider<const N: usize>(name: &str, agents: [&Discovered; N]) -> Value {
    let now = timestamp();
    event(
        "DISCOVERY_PROVIDER",
        json!({
            "provider_name": name,
            "agents": agents.map(Discovered::agent).as_slice(),
            "hosts": agents.map(Discovered::host).as_slice(),
            "provider": null,
            "error": null,
            "unknown_host_ids": [],
            "unknown_agent_ids": [],
            "discovery_started_at": now,
            "discovery_finished_at": now,
        }),
    )
}

/// `DISCOVERY_PROVIDER` of one that could not be asked.
pub fn provider_failed(name: &str) -> Value {
    let mut event = provider(name, []);
    event["error"] = provider_error(name);
    event
}

/// `DISCOVERY_ERROR`.
pub fn error(provider: &str) -> Value {
    event(
        "DISCOVERY_ERROR",
        json!({
            "error_type": "RuntimeError",
            "error_message": "the provider could not be asked",
            "source_name": provider,
            "provider_name": provider,
        }),
    )
}

fn provider_error(provider: &str) -> Value {
    json!({
        "type_name": "RuntimeError",
        "message": "the provider could not be asked",
        "provider_name": provider,
    })
}

/// An event of any type, with what every event carries.
pub fn event(kind: &str, members: Value) -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut event = json!({
        "timestamp": timestamp(),
        "type": kind,
        "event_id": format!("evt-{count:032x}"),
        "source": "mngr/discovery",
    });
    if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
        event.extend(members);
    }
    event
}

/// A time that each call moves on by a microsecond, so that events come in the order in which they were made.
fn timestamp() -> String {
    static MICROSECONDS: AtomicU64 = AtomicU64::new(0);
    let microseconds = MICROSECONDS.fetch_add(1, Ordering::Relaxed);
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    format!("2026-01-01T00:00:{seconds:02}.{fraction:06}+00:00")
}

//! An agent host, and how the supervisor is told of it.

use end_to_end::discovery::Discovered;
use end_to_end::{
    Agent, Home, KeyKind, Namespace, Resident, SshKey, Sshd, SshdOptions, Supervisor, eventually,
    eventually_within,
};
use serde_json::Value;
use std::time::Duration;
use tempfile::TempDir;

/// The port of 127.0.0.1 on which agents expect the gateway.
pub const AGENT_SIDE: u16 = 1989;

/// A namespace, its sshd, and the key with which mngr reaches it; `known_hosts` lies beside that.
pub struct Host {
    pub namespace: Namespace,
    pub sshd: Sshd,
    pub key: SshKey,
    _keys: TempDir,
}

impl Host {
    /// One that is as mngr leaves it: key admitted, host key known. None where there can be no namespaces.
    pub async fn new() -> Option<Self> {
        let host = Self::with(|sshd| sshd, KeyKind::Ed25519).await?;
        host.sshd.befriend(&host.key);
        Some(host)
    }

    /// One whose sshd is configured by `configure`, with a client's key of this kind that is not admitted yet.
    pub async fn with(
        configure: impl FnOnce(SshdOptions) -> SshdOptions,
        key: KeyKind,
    ) -> Option<Self> {
        let namespace = Namespace::new()?;
        let sshd = configure(Sshd::inside(&namespace)).start().await;
        let keys = TempDir::with_prefix("mngr-latchkey-keys-").expect("a temporary directory");
        Some(Self {
            key: SshKey::generate(keys.path(), key),
            namespace,
            sshd,
            _keys: keys,
        })
    }

    /// An agent that lives here, wired up by mngr but not discovered yet.
    pub fn resident(&self, agent: Agent) -> Resident<'_> {
        Resident {
            namespace: &self.namespace,
            agent,
        }
    }

    /// Whether somebody listens where agents expect the gateway.
    pub fn listens(&self) -> bool {
        self.namespace.loopback_listeners().contains(&AGENT_SIDE)
    }

    /// Tells the supervisor of an agent here, and how to get here.
    pub fn announce(&self, supervisor: &Supervisor, resident: &Resident<'_>) {
        let discovered = resident.discovered();
        supervisor.mngr().say(&discovered.agent_discovered());
        self.announce_ssh(supervisor, &discovered);
    }

    /// Tells the supervisor how to get here.
    pub fn announce_ssh(&self, supervisor: &Supervisor, discovered: &Discovered) {
        supervisor
            .mngr()
            .say(&discovered.ssh_info(&self.sshd.ssh_info(&self.key)));
    }

    /// An agent here that has reached the gateway.
    pub async fn connected(&self, supervisor: &Supervisor, name: &str) -> Resident<'_> {
        let resident = self.resident(supervisor.agent(name));
        self.announce(supervisor, &resident);
        reaches(supervisor, &resident).await;
        resident
    }
}

/// Awaits that an agent reaches the gateway.
pub async fn reaches(supervisor: &Supervisor, resident: &Resident<'_>) {
    reaches_within(end_to_end::PATIENCE, supervisor, resident).await;
}

/// The same for what may take longer.
pub async fn reaches_within(limit: Duration, supervisor: &Supervisor, resident: &Resident<'_>) {
    let mut last = None;
    let polled = tokio::time::timeout(limit, async {
        loop {
            let reply = resident.get("/permissions/self").await;
            if reply.status == 200 {
                return;
            }
            last = Some(reply);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(
        polled.is_ok(),
        "{} did not reach the gateway within {limit:?}: {last:?}; {}",
        resident.namespace.name(),
        status(supervisor, resident)
    );
}

/// What `status` says of the host of an agent; null while it says nothing.
pub fn status(supervisor: &Supervisor, resident: &Resident<'_>) -> Value {
    let status = supervisor.status();
    let hosts = status["hosts"]
        .as_array()
        .unwrap_or_else(|| panic!("no hosts: {status}"));
    let mut hosts = hosts
        .iter()
        .filter(|host| host["host"] == resident.agent.host_id);
    hosts.next().cloned().unwrap_or_default()
}

/// Awaits that the last error of a host holds all of these, and gives it.
pub async fn fails_with(
    supervisor: &Supervisor,
    resident: &Resident<'_>,
    parts: &[&str],
) -> String {
    let mut seen = Value::Null;
    let error = |status: &Value| status["last_error"].as_str().unwrap_or_default().to_owned();
    eventually_within(
        end_to_end::PATIENCE * 2,
        &format!("an error that names {parts:?}"),
        async || {
            seen = status(supervisor, resident);
            let error = error(&seen);
            let named = parts.iter().all(|part| error.contains(part));
            if !named && !error.is_empty() {
                eprintln!("it says {error:?}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            named
        },
    )
    .await;
    error(&seen)
}

/// A supervisor in a new home.
pub async fn supervisor() -> Supervisor {
    let supervisor = Supervisor::in_home(Home::new()).start().await;
    supervisor.mngr().started(1).await;
    supervisor
}

/// Awaits that nobody listens any more where agents expect the gateway.
pub async fn listens_no_more(host: &Host) {
    eventually("the port on the host is free", async || !host.listens()).await;
}

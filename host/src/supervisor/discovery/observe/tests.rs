use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::super::{AgentHandler, DiscoveredAgent, Discovery, DiscoveryStatus, ObserveState};
use super::*;
use crate::store::ids::{AgentId, HostId};

const DEADLINE: Duration = Duration::from_secs(20);
const FULL: &str = r#"{"type":"DISCOVERY_FULL","timestamp":"2026-01-01T00:00:00Z","agents":[{"agent_id":"agent-0000000000000000000000000000000a","host_id":"host-0000000000000000000000000000000b","agent_name":"n","provider_name":"p"}],"hosts":[],"error_by_provider_name":{}}"#;

/// Remembers what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl AgentHandler for Told {
    fn discovered(&self, agent: &DiscoveredAgent) {
        self.0.lock().unwrap().push(format!("+{}", agent.agent));
    }

    fn destroyed(&self, agent: &AgentId, _: &HostId) {
        self.0.lock().unwrap().push(format!("-{agent}"));
    }
}

/// A home directory with a program that takes mngr's place.
struct Stage {
    home: TempDir,
    told: Arc<Told>,
}

impl Stage {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            told: Arc::default(),
        }
    }

    /// What mngr is to do, in the language of sh. `$FULL` is a snapshot with one agent.
    fn script(&self, body: &str) {
        let path = self.home.path().join("bin-mngr");
        let new = self.home.path().join("new");
        fs::write(&new, format!("#!/bin/sh\nFULL='{FULL}'\n{body}\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn start(&self) -> Discovery {
        let settings = ObserveSettings {
            mngr_binary: self.home.path().join("bin-mngr"),
            home: self.home.path().to_owned(),
        };
        Discovery::start(settings, Arc::clone(&self.told)).unwrap()
    }

    fn told(&self) -> Vec<String> {
        self.told.0.lock().unwrap().clone()
    }

    /// What the script has written to a file in its home.
    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }
}

/// Waits until `condition` holds of what `look` sees.
async fn until<T: std::fmt::Debug>(
    mut look: impl FnMut() -> T,
    condition: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = look();
        if condition(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "still {seen:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn is_running(status: &DiscoveryStatus) -> bool {
    matches!(status.observe, ObserveState::Running { .. })
}

#[tokio::test]
async fn what_mngr_writes_reaches_the_handler() {
    let stage = Stage::new();
    stage.script(r#"echo "$*" >arguments; pwd >directory; echo "$FULL"; exec sleep 1000"#);
    let discovery = stage.start();
    let told = until(|| stage.told(), |told| !told.is_empty()).await;
    assert_eq!(told, ["+agent-0000000000000000000000000000000a"]);
    assert_eq!(
        stage.written("arguments"),
        "observe --discovery-only --quiet\n"
    );
    let status = until(|| discovery.status(), |status| status.agents == 1).await;
    assert!(is_running(&status), "{status:?}");
    discovery.stop(DEADLINE).await;
}

use std::fs;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::super::{
    AgentHandler, DiscoveredAgent, Discovery, DiscoveryStatus, ObserveState, program,
};
use super::*;
use crate::store::ids::{AgentId, HostId};

mod group;

const DEADLINE: Duration = Duration::from_secs(20);
const FULL: &str = r#"{"type":"DISCOVERY_FULL","timestamp":"2026-01-01T00:00:00Z","agents":[{"agent_id":"agent-0000000000000000000000000000000a","host_id":"host-0000000000000000000000000000000b","agent_name":"n","provider_name":"p"}],"hosts":[],"error_by_provider_name":{}}"#;

const FOUND: &str = "+agent-0000000000000000000000000000000a";
const GONE: &str = "-agent-0000000000000000000000000000000a";

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
        program::write(&path, &format!("FULL='{FULL}'\n{body}"));
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

/// Whether a process still does something. One that has ended may not have been waited for by whoever inherited it.
fn is_alive(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    let state = status
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

async fn until_dead(process: &str) {
    assert_ne!(process, "");
    until(|| is_alive(process), |is_alive| !is_alive).await;
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn keep() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_running(status: &DiscoveryStatus) -> bool {
    matches!(status.observe, ObserveState::Running { .. })
}

#[tokio::test]
async fn what_mngr_writes_reaches_the_handler() {
    let stage = Stage::new();
    stage.script(
        r#"echo "$*" >arguments; pwd >directory; readlink /proc/$$/fd/0 >input; echo "$FULL"; exec sleep 1000"#,
    );
    let discovery = stage.start();
    let told = until(|| stage.told(), |told| !told.is_empty()).await;
    assert_eq!(told, [FOUND]);
    assert_eq!(
        stage.written("arguments"),
        "observe --discovery-only --quiet\n"
    );
    let home = fs::canonicalize(stage.home.path()).unwrap();
    assert_eq!(stage.written("directory").trim(), home.to_str().unwrap());
    assert_eq!(stage.written("input"), "/dev/null\n");
    let status = until(|| discovery.status(), |status| status.agents == 1).await;
    assert!(is_running(&status), "{status:?}");
    assert!(status.last_event_at.is_some(), "{status:?}");
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn what_is_no_event_is_logged_and_skipped() {
    let (log, _guard) = Log::keep();
    let stage = Stage::new();
    stage.script(
        r#"
        printf 'Traceback: \033[31mx\n\n   \n{"type":"AGENT_DISCOVERED"}\n{"type":"NEW"}\n\377\376\n'
        printf '%s\r\n' "$FULL"
        printf '{"type":"DISCOVERY_FULL","timest' | cat
        exec sleep 1000"#,
    );
    let discovery = stage.start();
    until(|| stage.told(), |told| told == &[FOUND]).await;
    discovery.stop(DEADLINE).await;
    let text = log.text();
    assert_eq!(
        text.matches("a line of mngr's is skipped").count(),
        3,
        "{text}"
    );
    assert!(text.contains("'timestamp' is missing"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[tokio::test]
async fn a_half_line_at_the_end_is_no_harm_and_a_whole_one_counts() {
    let stage = Stage::new();
    stage.script(r#"printf '%s' "$FULL""#);
    let discovery = stage.start();
    until(|| stage.told(), |told| told == &[FOUND]).await;
    stage.script(r#"printf '{"type":"DISCOVERY_FULL","timest'; touch ran"#);
    discovery.restart();
    until(|| stage.home.path().join("ran").exists(), |ran| *ran).await;
    let waits = |status: &DiscoveryStatus| matches!(status.observe, ObserveState::Waiting { .. });
    until(|| discovery.status(), waits).await;
    assert_eq!(stage.told(), [FOUND]);
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn one_that_dies_is_started_again_and_its_agents_stay() {
    let (log, _guard) = Log::keep();
    let stage = Stage::new();
    stage.script(
        r#"
        echo "$FULL"
        test -e died && exec sleep 1000
        touch died
        printf 'one thing\n\033[1mno\007 disk\n' >&2
        exit 3"#,
    );
    let discovery = stage.start();
    let failed = |status: &DiscoveryStatus| matches!(status.observe, ObserveState::Waiting { .. });
    let status = until(|| discovery.status(), failed).await;
    let ObserveState::Waiting { error, .. } = status.observe else {
        unreachable!();
    };
    assert_eq!(
        error,
        "it ended with exit status: 3; its last words:  [1mno  disk"
    );
    assert_eq!(status.agents, 1);
    until(|| discovery.status(), is_running).await;
    discovery.stop(DEADLINE).await;
    assert_eq!(stage.told(), [FOUND]);
    let text = log.text();
    assert!(text.contains("INFO mngr: one thing"), "{text}");
    let warning = format!(
        "WARN {}: mngr no longer observes: {error}; ",
        module_path!()
    );
    assert!(text.contains(&warning.replace("::tests", "")), "{text}");
}

#[tokio::test]
async fn one_that_closes_its_output_is_replaced() {
    let stage = Stage::new();
    stage.script("echo $$ >pid; exec >&-; test -e again || { touch again; exec sleep 1000; }; exec sleep 1001");
    let discovery = stage.start();
    let failed = |status: &DiscoveryStatus| matches!(status.observe, ObserveState::Waiting { .. });
    let status = until(|| discovery.status(), failed).await;
    assert!(
        format!("{status:?}").contains("it closed its output"),
        "{status:?}"
    );
    until_dead(&stage.written("pid")).await;
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn a_missing_mngr_is_told_once_and_found_when_it_comes() {
    let (log, _guard) = Log::keep();
    let stage = Stage::new();
    let discovery = stage.start();
    let is_missed = |status: &DiscoveryStatus| status.observe == ObserveState::NotInstalled;
    until(|| discovery.status(), is_missed).await;
    for _ in 0..3 {
        discovery.restart();
        tokio::task::yield_now().await;
    }
    // What this program says in mngr's place.
    stage.script(r#"touch asked; echo "Error: there is no other 'mngr' on PATH; this program ..." >&2; exit 1"#);
    discovery.restart();
    until(|| stage.home.path().join("asked").exists(), |asked| *asked).await;
    until(|| log.text(), |text| text.contains("there is no other")).await;
    assert_eq!(discovery.status().observe, ObserveState::NotInstalled);
    stage.script(r#"echo "$FULL"; exec sleep 1000"#);
    // Sooner than it would be looked for.
    discovery.restart();
    until(|| discovery.status(), is_running).await;
    until(|| stage.told(), |told| told == &[FOUND]).await;
    discovery.stop(DEADLINE).await;
    let text = log.text();
    for once in ["uv tool install imbue-mngr", "mngr is there now"] {
        assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
    }
    assert_eq!(text.matches("WARN").count(), 1, "{text}");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_not_taken_for_a_missing_one() {
    let stage = Stage::new();
    fs::write(stage.home.path().join("bin-mngr"), "").unwrap();
    let discovery = stage.start();
    let failed = |status: &DiscoveryStatus| matches!(status.observe, ObserveState::Waiting { .. });
    let status = until(|| discovery.status(), failed).await;
    assert!(format!("{status:?}").contains("cannot run"), "{status:?}");
    discovery.stop(DEADLINE).await;

    let settings = ObserveSettings {
        mngr_binary: "sh".into(),
        home: stage.home.path().join("nowhere"),
    };
    let discovery = Discovery::start(settings, Arc::clone(&stage.told)).unwrap();
    let status = until(|| discovery.status(), failed).await;
    assert!(
        format!("{status:?}").contains("home directory"),
        "{status:?}"
    );
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn each_of_ten_restarts_gives_a_new_process_and_the_agents_stay() {
    let stage = Stage::new();
    stage.script(r#"echo "$FULL"; echo $$ >>pids; exec sleep 1000"#);
    let discovery = stage.start();
    let pids = || -> Vec<String> { stage.written("pids").lines().map(String::from).collect() };
    for number in 1..=10 {
        until(pids, |pids| pids.len() == number).await;
        discovery.restart();
    }
    // In quick succession, with nothing between.
    for _ in 0..10 {
        discovery.restart();
    }
    until(pids, |pids| pids.len() >= 11).await;
    let alive = || pids().iter().filter(|pid| is_alive(pid)).count();
    until(
        || (alive(), discovery.status()),
        |(alive, status)| *alive == 1 && is_running(status),
    )
    .await;
    until(|| discovery.status().agents, |agents| *agents == 1).await;
    assert_eq!(stage.told(), [FOUND]);
    discovery.stop(DEADLINE).await;
    assert_eq!(alive(), 0);
}

#[tokio::test]
async fn what_changed_while_nobody_looked_is_told_after_a_restart() {
    let stage = Stage::new();
    stage.script(r#"echo "$FULL"; exec sleep 1000"#);
    let discovery = stage.start();
    until(|| stage.told(), |told| told == &[FOUND]).await;
    stage.script(r#"echo "$FULL" | sed 's/\[{.*}\],"hosts/[],"hosts/'; exec sleep 1000"#);
    discovery.restart();
    until(|| stage.told(), |told| told.len() == 2).await;
    assert_eq!(stage.told(), [FOUND, GONE]);
    discovery.stop(DEADLINE).await;
}

//! `supervisor ensure|stop|restart|bounce` and `status`: one detached supervisor, whoever asks for it.

use std::thread;

use end_to_end::{
    Cli, Home, Mngr, Supervisor, UPSTREAM_URL, Upstream, end_all_of, eventually, gateway_of,
    is_running, record,
};
use serde_json::Value;

/// A home whose supervisor ends with it.
struct Embedder {
    home: Home,
    mngr: Mngr,
}

impl Embedder {
    fn new() -> Self {
        let home = Home::new();
        let mngr = Mngr::in_home(&home);
        Self { home, mngr }
    }

    fn command(&self, action: &str) -> Cli {
        self.home
            .command(["supervisor", action, "--latchkey-directory"])
            .argument(self.home.latchkey_directory())
            .argument("--mngr-binary")
            .argument(self.mngr.path())
    }

    /// The record that a subcommand prints.
    fn record_of(&self, action: &str) -> Value {
        self.command(action).run().expect_success().json()
    }

    fn process(record: &Value) -> u32 {
        record["pid"]
            .as_u64()
            .expect("a process")
            .try_into()
            .expect("a process number")
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        end_all_of(&self.home);
    }
}

#[tokio::test]
async fn ensure_starts_one_that_serves_and_then_finds_it() {
    let embedder = Embedder::new();
    let first = embedder.record_of("ensure");
    assert!(first["gateway_port"].is_u64(), "{first}");
    embedder.home.cli(["gateway-info"]).expect_success();
    assert_eq!(embedder.record_of("ensure"), first);
    assert!(
        embedder
            .home
            .plugin_data()
            .join("latchkey_forward.log")
            .is_file()
    );
    embedder.command("stop").run().expect_success();
    assert!(!is_running(Embedder::process(&first)));
    assert!(!record(&embedder.home).exists());
    // There is nothing to stop, so it is stopped.
    embedder.command("stop").run().expect_success();
}

#[tokio::test]
async fn many_that_ensure_at_once_agree_on_one() {
    let embedder = Embedder::new();
    let records: Vec<Value> = thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| embedder.record_of("ensure")))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for record in &records {
        assert_eq!(record["pid"], records[0]["pid"], "{records:?}");
    }
}

#[tokio::test]
async fn restart_gives_another_with_the_present_environment() {
    let upstream = Upstream::start().await;
    let embedder = Embedder::new();
    let first = Embedder::process(&embedder.record_of("ensure"));
    let restart = embedder
        .command("restart")
        .environment(UPSTREAM_URL, upstream.url());
    let second = Embedder::process(&restart.run().expect_success().json());
    assert_ne!(first, second);
    assert!(!is_running(first) && is_running(second));
    let gateway = gateway_of(second).expect("a gateway child");
    let environment = std::fs::read(format!("/proc/{}/environ", gateway.id)).unwrap();
    let expected = format!("{UPSTREAM_URL}={}", upstream.url());
    assert!(
        String::from_utf8_lossy(&environment)
            .split('\0')
            .any(|pair| pair == expected)
    );
}

#[tokio::test]
async fn bounce_has_the_running_one_look_anew_and_starts_one_when_there_is_none() {
    let embedder = Embedder::new();
    let first = embedder.record_of("bounce");
    embedder.mngr.started(1).await;
    let gateway = gateway_of(Embedder::process(&first))
        .expect("a gateway child")
        .id;
    assert_eq!(embedder.record_of("bounce"), first);
    embedder.mngr.started(2).await;
    assert_eq!(
        gateway_of(Embedder::process(&first))
            .expect("a gateway child")
            .id,
        gateway
    );
}

#[tokio::test]
async fn one_that_runs_in_a_terminal_is_adopted_and_stopped_like_any_other() {
    let supervisor = Supervisor::start().await;
    let found = supervisor
        .cli(["supervisor", "ensure"])
        .expect_success()
        .json();
    assert_eq!(found, supervisor.record());
    supervisor.cli(["supervisor", "stop"]).expect_success();
    let (status, home) = supervisor.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(!record(&home).exists());
}

#[tokio::test]
async fn status_says_what_runs() {
    let home = Home::new();
    let outcome = home.cli(["status"]).expect_code(1);
    assert!(
        outcome
            .stderr
            .starts_with("Error: No ``mngr latchkey forward`` supervisor is running"),
        "{outcome}"
    );
    let supervisor = Supervisor::in_home(home).start().await;
    let status = supervisor.status();
    assert_eq!(status["running"], true, "{status}");
    assert_eq!(status["pid"], supervisor.process().id(), "{status}");
    let gateway = supervisor.gateway().expect("a gateway child").id;
    eventually("the status names the gateway", async || {
        supervisor.status()["gateway"]["pid"] == gateway
    })
    .await;
    let text = supervisor.cli(["status"]).expect_success().stdout;
    assert!(
        text.contains("gateway") && text.contains(&supervisor.process().id().to_string()),
        "{text}"
    );
}

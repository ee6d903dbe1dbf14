//! `supervisor ensure|stop|restart|bounce`: one detached supervisor, whoever asks for it.

use std::thread;

use end_to_end::{
    Cli, Home, Mngr, Supervisor, UPSTREAM_URL, Upstream, agent_of, caller_of, end_all_of,
    gateway_of, is_running, record,
};
use serde_json::Value;

/// A home whose supervisor ends with it.
struct Embedder {
    home: Home,
    mngr: Mngr,
}

impl Embedder {
    fn new() -> Self {
        let home = Home::new().with_compiled_components();
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
    let embedder = Embedder::new();
    let (before, after) = (Upstream::start().await, Upstream::start().await);
    let ensured = embedder
        .command("ensure")
        .environment(UPSTREAM_URL, before.url());
    let first = Embedder::process(&ensured.run().expect_success().json());
    let agent = agent_of(&embedder.home, "a");
    let path = format!("/minds-api-proxy/api/v1/agents/{}/x", agent.id);
    agent.get(&path).await.expect(200);
    assert_eq!(before.requests().len(), 1);
    let restart = embedder
        .command("restart")
        .environment(UPSTREAM_URL, after.url());
    let second = Embedder::process(&restart.run().expect_success().json());
    assert_ne!(first, second);
    assert!(!is_running(first) && is_running(second));
    // The environment of before is that of a process which has ended; agents and their tokens are the same.
    let token = agent.token();
    let agent = agent_of(&embedder.home, "b");
    agent.get("/permissions/self").await.expect(200);
    let path = format!("/minds-api-proxy/api/v1/agents/{}/x", agent.id);
    agent.get(&path).await.expect(200);
    assert_eq!((before.requests().len(), after.requests().len()), (1, 1));
    let caller = caller_of(&embedder.home, &token);
    caller.get("/permissions/self").await.expect(200);
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

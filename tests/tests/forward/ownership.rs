//! One supervisor a latchkey directory, and what others see of it.

use std::fs;

use end_to_end::{Home, Supervisor, end_all_of, eventually, is_running, processes, record};
use rustix::process::Signal;
use serde_json::{Value, json};

const REFUSAL: &str = "Error: Another ``mngr latchkey forward`` is already running for this latchkey directory (pid=PID); \
    refusing to start a second supervisor.";
const NOT_RUNNING: &str =
    "Error: No ``mngr latchkey forward`` supervisor is running for this latchkey directory; ";
const NOT_BOUND: &str = "Error: The supervisor is running but has not finished binding its gateway port yet; retry in a moment.";

fn refusal(owner: u32) -> String {
    REFUSAL.replace("PID", &owner.to_string())
}

#[tokio::test]
async fn the_record_has_exactly_the_three_members_that_every_reader_knows() {
    let supervisor = Supervisor::start().await;
    let record = supervisor.record();
    let members: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(members, ["pid", "started_at", "gateway_port"]);
    assert_eq!(record["pid"], supervisor.process().id());
    assert_eq!(record["gateway_port"], supervisor.address().port());
    let started = record["started_at"].as_str().unwrap();
    assert!(
        started.starts_with("20") && (started.ends_with('Z') || started.ends_with("+00:00")),
        "no time in UTC: {started}"
    );
}

#[tokio::test]
async fn the_process_list_shows_it_as_a_plugin_of_mngr() {
    let supervisor = Supervisor::start().await;
    let all = processes();
    let own = all
        .iter()
        .find(|process| process.id == supervisor.process().id())
        .unwrap();
    assert_eq!(own.command[..3], ["mngr", "latchkey", "forward"], "{own:?}");
    // Nothing else of it may be taken for a supervisor.
    for child in supervisor.children() {
        let mut words = child.command.iter();
        let taken_for_one = ["mngr", "latchkey", "forward"]
            .iter()
            .all(|token| words.any(|word| word == token || word.ends_with(&format!("/{token}"))));
        assert!(!taken_for_one, "{child:?}");
    }
}

#[tokio::test]
async fn a_second_one_is_refused_with_the_words_that_scripts_know() {
    let supervisor = Supervisor::start().await;
    let again = Supervisor::in_home(Home::new());
    let directory = supervisor.home().latchkey_directory();
    for _ in 0..2 {
        again
            .home()
            .command(["forward", "--latchkey-directory"])
            .argument(&directory)
            .run()
            .expect_failure(&refusal(supervisor.process().id()));
    }
    supervisor.admin().get("/").await.expect(200);
    assert_eq!(supervisor.record()["pid"], supervisor.process().id());
}

#[tokio::test]
async fn of_many_started_at_the_same_moment_one_wins() {
    let options = Supervisor::in_home(Home::new());
    let mut contenders: Vec<_> = (0..8).map(|_| options.command().start()).collect();
    let mut losers = Vec::new();
    eventually("all but one give up", async || {
        for mut contender in std::mem::take(&mut contenders) {
            match contender.has_ended() {
                Some(status) => losers.push((status, contender)),
                None => contenders.push(contender),
            }
        }
        contenders.len() <= 1
    })
    .await;
    let [winner] = &contenders[..] else {
        panic!(
            "nobody won: {:?}",
            losers
                .iter()
                .map(|(_, loser)| loser.stderr())
                .collect::<Vec<_>>()
        );
    };
    for (status, loser) in &losers {
        assert_eq!(status.code(), Some(1));
        loser
            .logged("the refusal", |line| {
                (line == refusal(winner.id())).then_some(())
            })
            .await;
        assert_eq!(loser.stderr(), refusal(winner.id()));
    }
    let home = options.home();
    eventually("gateway-info answers", async || {
        home.cli(["gateway-info"]).status.success()
    })
    .await;
    end_all_of(home);
}

#[tokio::test]
async fn a_record_of_a_process_that_is_no_supervisor_is_discarded_and_the_process_left_alone() {
    let home = Home::new();
    let mut bystander = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    let content =
        json!({"pid": bystander.id(), "started_at": "2026-01-01T00:00:00Z", "gateway_port": 1});
    home.write(
        "latchkey/mngr_latchkey/latchkey_forward.json",
        &content.to_string(),
        0o600,
    );
    let info = home.cli(["gateway-info"]).expect_code(1);
    assert!(info.stderr.starts_with(NOT_RUNNING), "{info}");
    let supervisor = Supervisor::in_home(home).start().await;
    assert_eq!(supervisor.record()["pid"], supervisor.process().id());
    let (status, home) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
    home.cli(["supervisor", "stop"]).expect_success();
    assert!(is_running(bystander.id()));
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn gateway_info_says_what_it_lacks() {
    let home = Home::new();
    let outcome = home.cli(["gateway-info"]).expect_code(1);
    assert!(outcome.stderr.starts_with(NOT_RUNNING), "{outcome}");
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.lines().count()),
        ("", 1),
        "{outcome}"
    );
    // A supervisor that has no port yet, as its record shows it.
    let supervisor = Supervisor::in_home(home).start().await;
    let written = fs::read_to_string(record(supervisor.home())).unwrap();
    let mut early: Value = serde_json::from_str(&written).unwrap();
    early["gateway_port"] = Value::Null;
    fs::write(record(supervisor.home()), early.to_string()).unwrap();
    supervisor.cli(["gateway-info"]).expect_failure(NOT_BOUND);
    fs::write(record(supervisor.home()), written).unwrap();
    let info = supervisor.cli(["gateway-info"]).expect_success().json();
    assert_eq!(info["url"], format!("http://{}", supervisor.address()));
    let (_, home) = supervisor.terminate().await;
    let outcome = home.cli(["gateway-info"]).expect_code(1);
    assert!(outcome.stderr.starts_with(NOT_RUNNING), "{outcome}");
}

#[tokio::test]
async fn after_a_kill_the_next_one_finds_no_gateway_left_and_serves_the_same_agents() {
    let supervisor = Supervisor::start().await;
    let agent = supervisor.agent("a");
    agent.get("/permissions/self").await.expect(200);
    let orphan = supervisor.gateway().expect("a gateway child");
    let home = supervisor.kill().await;
    let outcome = home.cli(["gateway-info"]).expect_code(1);
    assert!(outcome.stderr.starts_with(NOT_RUNNING), "{outcome}");
    let next = Supervisor::in_home(home).start().await;
    assert!(!is_running(orphan.id), "the gateway of before still runs");
    let token = &agent
        .environment
        .iter()
        .find(|(name, _)| name.ends_with("_OVERRIDE"))
        .unwrap()
        .1;
    next.with_token(token)
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_gateway_that_is_stuck_when_its_supervisor_dies_is_reaped_by_the_next() {
    let supervisor = Supervisor::start().await;
    let stuck = supervisor.gateway().expect("a gateway child");
    stuck.signal(Signal::STOP);
    let home = supervisor.kill().await;
    // The kernel has woken it: its process group has lost its last tie to a session.
    stuck.signal(Signal::STOP);
    let next = Supervisor::in_home(home).start().await;
    assert!(!is_running(stuck.id), "the gateway of before still runs");
    next.admin().get("/").await.expect(200);
}

#[tokio::test]
async fn without_a_successor_the_gateway_of_a_killed_supervisor_ends_by_itself() {
    let supervisor = Supervisor::start().await;
    let gateway = supervisor.gateway().expect("a gateway child");
    let observe = supervisor.mngr().started(1).await;
    let home = supervisor.kill().await;
    eventually("the orphaned gateway ends", async || {
        !is_running(gateway.id)
    })
    .await;
    eventually(
        "the orphaned observe ends or is at least replaced",
        async || !is_running(observe.process),
    )
    .await;
    end_all_of(&home);
}

#[tokio::test]
async fn two_directories_have_a_supervisor_each() {
    let (one, other) = (Supervisor::start().await, Supervisor::start().await);
    assert_ne!(one.address(), other.address());
    let agent = one.agent("a");
    agent.get("/permissions/self").await.expect(200);
    let (status, _) = one.terminate().await;
    assert_eq!(status.code(), Some(0));
    other.admin().get("/").await.expect(200);
}

#[tokio::test]
async fn it_is_ready_for_its_service_manager_when_the_gateway_accepts() {
    let options = Supervisor::in_home(Home::new());
    let path = options.home().path().join("notify");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let supervisor = options.environment("NOTIFY_SOCKET", &path).start().await;
    let mut told = Vec::new();
    let mut hear = async |word: &str| {
        let mut buffer = [0; 1024];
        while !told.iter().any(|line| line == word) {
            let length = end_to_end::within_patience(word, socket.recv(&mut buffer))
                .await
                .unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            told.extend(text.lines().map(str::to_owned));
        }
    };
    hear("READY=1").await;
    let observe = supervisor.mngr().started(1).await;
    let inherited = observe
        .environment
        .iter()
        .any(|pair| pair.starts_with("NOTIFY_SOCKET="));
    assert!(
        !inherited,
        "mngr could speak for it: {:?}",
        observe.environment
    );
    supervisor.signal(Signal::TERM);
    hear("STOPPING=1").await;
    let (status, _) = supervisor.ended().await;
    assert_eq!(status.code(), Some(0));
}

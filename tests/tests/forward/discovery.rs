//! The `mngr observe` child: kept alive, listened to, and never trusted with more than its lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use end_to_end::discovery::{self, Discovered};
use end_to_end::{Home, Mngr, Start, Supervisor, eventually, is_running};
use rustix::process::Signal;
use serde_json::{Value, json};

const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";
const HOST: &str = "host-0123456789abcdef0123456789abcdef";

/// Whether `status` shows this agent.
fn knows(supervisor: &Supervisor, agent: &str) -> bool {
    supervisor.status().to_string().contains(agent)
}

/// An agent on a host that nobody can reach.
fn agent_nowhere(number: u32) -> (Discovered, Vec<Value>) {
    let agent = Discovered::new(
        &format!("agent-{number:032x}"),
        &format!("host-{number:032x}"),
    );
    let ssh = json!({
        "user": "nobody",
        "host": "127.0.0.1",
        "port": 9,
        "key_path": "/nonexistent/key",
        "command": "ssh nobody@127.0.0.1",
    });
    let events = vec![agent.agent_discovered(), agent.ssh_info(&ssh)];
    (agent, events)
}

#[tokio::test]
async fn observe_runs_quietly_in_the_home_directory() {
    let supervisor = Supervisor::start().await;
    let start = supervisor.mngr().started(1).await;
    assert_eq!(
        start.arguments[1..],
        ["observe", "--discovery-only", "--quiet"]
    );
    assert_eq!(
        start.working_directory,
        fs::canonicalize(supervisor.home().path()).unwrap()
    );
}

#[tokio::test]
async fn observe_inherits_no_descriptor() {
    let supervisor = Supervisor::start().await;
    let started = supervisor.mngr().started(1).await;
    // What the test's own children inherit from whoever runs the tests is nothing of the supervisor's.
    let home = Home::new();
    let by_hand = Mngr::in_home(&home);
    let ended = Command::new(by_hand.path())
        .stdin(Stdio::null())
        .arg("--version")
        .status();
    assert!(ended.unwrap().success());
    let own = by_hand.started(1).await;
    let numbers = |start: &Start| -> Vec<u32> {
        start
            .descriptors
            .iter()
            .map(|(number, _)| *number)
            .filter(|number| *number > 2)
            .collect()
    };
    assert_eq!(
        numbers(&started),
        numbers(&own),
        "{:?}",
        started.descriptors
    );
    for (number, target) in &started.descriptors {
        let harmless = ["/dev/null", "pipe:", "socket:"]
            .iter()
            .any(|kind| target.starts_with(kind));
        assert!(harmless, "{number} leads to {target}");
    }
}

#[tokio::test]
async fn a_hangup_restarts_observe_and_nothing_else_every_time() {
    let supervisor = Supervisor::start().await;
    let gateway = supervisor.gateway().expect("a gateway child").id;
    let mut observe = supervisor.mngr().started(1).await.process;
    for count in 2..=11 {
        supervisor.signal(Signal::HUP);
        let next = supervisor.mngr().started(count).await.process;
        assert_ne!(next, observe);
        eventually("the one before is gone", async || !is_running(observe)).await;
        observe = next;
    }
    assert_eq!(supervisor.gateway().expect("a gateway child").id, gateway);
    supervisor.admin().get("/").await.expect(200);
}

#[tokio::test]
async fn ten_hangups_at_once_leave_one_observe() {
    let supervisor = Supervisor::start().await;
    let gateway = supervisor.gateway().expect("a gateway child").id;
    supervisor.mngr().started(1).await;
    for _ in 0..10 {
        supervisor.signal(Signal::HUP);
    }
    let agent = agent_nowhere(1);
    supervisor.mngr().started(2).await;
    for event in &agent.1 {
        supervisor.mngr().say(event);
    }
    eventually("what is said afterwards is heard", async || {
        knows(&supervisor, &agent.0.agent_id)
    })
    .await;
    eventually("one observe runs", async || {
        let starts = supervisor.mngr().starts();
        starts
            .iter()
            .filter(|start| is_running(start.process))
            .count()
            == 1
    })
    .await;
    assert_eq!(supervisor.gateway().expect("a gateway child").id, gateway);
}

#[tokio::test]
async fn an_observe_that_dies_is_started_again() {
    let supervisor = Supervisor::start().await;
    for (count, signal) in [(1, Signal::KILL), (2, Signal::TERM)] {
        supervisor.mngr().started(count).await;
        supervisor.mngr().end(signal);
    }
    supervisor.mngr().started(3).await;
    let (agent, events) = agent_nowhere(1);
    for event in &events {
        supervisor.mngr().say(event);
    }
    eventually("the third one is listened to", async || {
        knows(&supervisor, &agent.agent_id)
    })
    .await;
}

#[tokio::test]
async fn a_missing_mngr_is_said_once_and_the_gateway_works_until_it_is_there() {
    let options = Supervisor::in_home(Home::new());
    let late = options.home().path().join("late").join("mngr");
    let supervisor = options.mngr_binary(&late).start().await;
    let shown = late.display().to_string();
    let warnings = || -> Vec<String> {
        let log = supervisor.process().stderr();
        log.lines()
            .filter(|line| line.contains(&shown))
            .map(str::to_owned)
            .collect()
    };
    eventually("the warning", async || !warnings().is_empty()).await;
    let agent = supervisor.agent("a");
    agent.get("/permissions/self").await.expect(200);
    // Looking again changes nothing, so nothing is said.
    for _ in 0..3 {
        supervisor.signal(Signal::HUP);
        agent.get("/permissions/self").await.expect(200);
    }
    fs::create_dir_all(late.parent().unwrap()).unwrap();
    fs::copy(supervisor.mngr().path(), &late).unwrap();
    fs::set_permissions(&late, fs::Permissions::from_mode(0o755)).unwrap();
    supervisor.signal(Signal::HUP);
    supervisor.mngr().started(1).await;
    let warnings: Vec<String> = warnings()
        .into_iter()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(
        warnings[0].contains("install"),
        "it does not say what to do: {}",
        warnings[0]
    );
}

#[tokio::test]
async fn an_mngr_that_fails_is_said_and_tried_again() {
    let options = Supervisor::in_home(Home::new());
    options
        .mngr()
        .begin_with("echo 'mngr: the settings are broken' >&2; exit 3\n");
    let supervisor = options.start().await;
    supervisor.mngr().started(2).await;
    let complaint = "the settings are broken";
    supervisor
        .process()
        .logged("what mngr complained of", |line| {
            line.contains(complaint).then_some(())
        })
        .await;
    supervisor.admin().get("/").await.expect(200);
    supervisor.mngr().begin_with("");
    let (agent, events) = agent_nowhere(1);
    for event in &events {
        supervisor.mngr().say(event);
    }
    supervisor.signal(Signal::HUP);
    eventually("it is listened to", async || {
        knows(&supervisor, &agent.agent_id)
    })
    .await;
}

#[tokio::test]
async fn whatever_observe_prints_what_follows_is_understood() {
    let supervisor = Supervisor::start().await;
    let mngr = supervisor.mngr();
    mngr.started(1).await;
    let nested = format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let garbage: [&[u8]; 12] = [
        b"\n",
        b"Traceback (most recent call last):\n",
        b"\xff\xfe\x00\x80\n",
        b"{\n",
        b"[]\n",
        b"null\n",
        b"{\"type\": 7}\n",
        b"{\"type\": \"AGENT_DISCOVERED\"}\n",
        b"{\"type\": \"AGENT_DISCOVERED\", \"agent\": {\"agent_id\": \"agent-x\", \"host_id\": \"../..\"}}\n",
        b"{\"type\": \"SOMETHING_NEW\", \"agent\": {}}\n",
        b"{\"type\": \"HOST_SSH_INFO\", \"host_id\": \"host-0\", \"ssh\": {\"port\": 99999999}}\n",
        nested.as_bytes(),
    ];
    for (number, line) in (1..).zip(garbage) {
        mngr.print(line);
        let (agent, events) = agent_nowhere(number);
        for event in &events {
            mngr.say(event);
        }
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        eventually(&format!("what follows {shown:?}"), async || {
            knows(&supervisor, &agent.agent_id)
        })
        .await;
    }
    // Half of a line is no line yet.
    let (agent, events) = agent_nowhere(100);
    let text = format!("{}\n{}\n", events[0], events[1]);
    let (first, second) = text.split_at(text.len() / 3);
    mngr.print(first);
    mngr.complain("a complaint in between\n");
    supervisor
        .process()
        .logged("the complaint", |line| {
            line.contains("in between").then_some(())
        })
        .await;
    assert!(!knows(&supervisor, &agent.agent_id));
    mngr.print(second);
    eventually("the rest of the line", async || {
        knows(&supervisor, &agent.agent_id)
    })
    .await;
    // One that never ends is not kept.
    let endless = vec![b'x'; 4 * 1024 * 1024];
    for _ in 0..8 {
        mngr.print(&endless);
    }
    mngr.print("\n");
    let (agent, events) = agent_nowhere(101);
    for event in &events {
        mngr.say(event);
    }
    eventually("what follows an endless line", async || {
        knows(&supervisor, &agent.agent_id)
    })
    .await;
}

#[tokio::test]
async fn both_generations_of_events_say_who_is_there() {
    let supervisor = Supervisor::start().await;
    let mngr = supervisor.mngr();
    mngr.started(1).await;
    let (one, events) = agent_nowhere(1);
    let (other, other_events) = agent_nowhere(2);
    let other = other.of("modal");
    for event in [&events[1], &other_events[1]] {
        mngr.say(event);
    }
    let shows = async |what: &str, expected: [bool; 2]| {
        eventually(what, async || {
            [
                knows(&supervisor, &one.agent_id),
                knows(&supervisor, &other.agent_id),
            ] == expected
        })
        .await;
    };
    mngr.say(&discovery::full([&one, &other], &[]));
    shows("the snapshot's agents", [true, true]).await;
    mngr.say(&discovery::full([&one], &["modal"]));
    mngr.say(&discovery::provider_failed("modal"));
    mngr.say(&discovery::error("modal"));
    mngr.say(&discovery::provider(discovery::PROVIDER, []));
    shows(
        "a provider's trouble keeps its agents, its word removes them",
        [false, true],
    )
    .await;
    mngr.say(&discovery::full([&one], &[]));
    shows("a snapshot replaces everything", [true, false]).await;
    mngr.say(&discovery::provider("modal", [&other]));
    shows("a provider adds its own", [true, true]).await;
    mngr.say(&one.agent_destroyed());
    shows("a destroyed agent goes", [false, true]).await;
    mngr.say(&other.host_destroyed());
    shows("the agents of a destroyed host go", [false, false]).await;
}

#[tokio::test]
async fn agents_stay_while_observe_is_away() {
    let supervisor = Supervisor::start().await;
    let agent = Discovered::new(AGENT, HOST);
    let ssh = agent_nowhere(1).1[1]["ssh"].clone();
    supervisor.mngr().say(&agent.agent_discovered());
    supervisor.mngr().say(&agent.ssh_info(&ssh));
    eventually("the agent is known", async || knows(&supervisor, AGENT)).await;
    supervisor.mngr().forget();
    supervisor.signal(Signal::HUP);
    supervisor.mngr().started(2).await;
    assert!(knows(&supervisor, AGENT), "{}", supervisor.status());
}

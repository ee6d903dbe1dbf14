//! `status`: what runs, once or at every change, for people and for programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use end_to_end::{Home, Program, Running, Supervisor, eventually, program, record};
use rustix::process::Signal;
use serde_json::{Value, json};

const NOT_RUNNING: &str =
    "Error: No ``mngr latchkey forward`` supervisor is running for this latchkey directory; ";

/// `status --watch` of a home.
fn watch(home: &Home, format: &str) -> Running {
    let program = program();
    Program::new(program.to_str().expect("the path is text"), home.path())
        .arguments(["status", "--watch", "--format", format])
        .arguments([
            Path::new("--latchkey-directory"),
            &home.latchkey_directory(),
        ])
        .start()
}

/// The first line from now on that holds this text, and none of those before it.
async fn shows(watch: &mut Running, text: &str) -> String {
    loop {
        let line = watch.line().await;
        assert!(!line.contains('\u{1b}'), "{line:?} is for a terminal");
        if line.contains(text) {
            return line;
        }
    }
}

#[tokio::test]
async fn it_names_the_processes_that_run() {
    let supervisor = Supervisor::start().await;
    let status = supervisor.status();
    assert_eq!(status["running"], true, "{status}");
    assert_eq!(status["pid"], supervisor.process().id(), "{status}");
    let gateway = supervisor.gateway().expect("a gateway child").id;
    eventually("the status names the gateway", async || {
        supervisor.status()["gateway"]["pid"] == gateway
    })
    .await;
    let text = supervisor.cli(["status"]).expect_success().stdout;
    for part in [
        &supervisor.process().id().to_string(),
        &gateway.to_string(),
        &supervisor.address().to_string(),
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[tokio::test]
async fn where_nothing_runs_it_fails_and_still_tells_programs() {
    let home = Home::new();
    let ended = Supervisor::in_home(home).start().await.terminate().await.1;
    for home in [Home::new(), ended] {
        let outcome = home.cli(["status"]).expect_code(1);
        assert!(outcome.stderr.starts_with(NOT_RUNNING), "{outcome}");
        assert_eq!(outcome.stdout, "", "{outcome}");
        let outcome = home.cli(["status", "--format", "json"]).expect_code(1);
        assert_eq!(outcome.json(), json!({"running": false}));
        assert!(outcome.stderr.starts_with(NOT_RUNNING), "{outcome}");
    }
}

#[tokio::test]
async fn after_a_kill_it_does_not_show_what_was() {
    let home = Supervisor::start().await.kill().await;
    let outcome = home.cli(["status", "--format", "json"]).expect_code(1);
    assert_eq!(outcome.json(), json!({"running": false}));
}

#[tokio::test]
async fn of_one_that_starts_it_says_that_it_starts() {
    let home = Home::new();
    // What shows itself as a supervisor that has written its record, and nothing else yet.
    let script = home.write("early/mngr", "#!/bin/sh\nread -r _\n", 0o755);
    let mut early = Command::new(script)
        .args(["latchkey", "forward"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let record =
        json!({"pid": early.id(), "started_at": "2026-01-01T00:00:00Z", "gateway_port": null});
    home.write(
        "latchkey/mngr_latchkey/latchkey_forward.json",
        &record.to_string(),
        0o600,
    );
    let mut status = Value::Null;
    // Until it has become the script, it is a copy of the test.
    eventually("the status shows one that runs", async || {
        status = serde_json::from_str(&home.cli(["status", "--format", "json"]).stdout).unwrap();
        status["running"] == true
    })
    .await;
    assert_eq!(status["pid"], early.id(), "{status}");
    assert_eq!(status["gateway"], Value::Null, "{status}");
    let text = home.cli(["status"]).expect_success().stdout;
    assert!(text.contains("starting"), "{text}");
    early.kill().unwrap();
    early.wait().unwrap();
}

#[tokio::test]
async fn watched_it_tells_programs_of_every_change_once() {
    let home = Home::new();
    let mut watch = watch(&home, "json");
    let parse = |line: String| -> Value { serde_json::from_str(&line).unwrap() };
    let mut last = parse(watch.line().await);
    assert_eq!(last, json!({"running": false}));
    let supervisor = Supervisor::in_home(home).start().await;
    let mut follow = async |what: &str, expected: &dyn Fn(&Value) -> bool| {
        loop {
            let next = parse(watch.line().await);
            assert_ne!(next, last, "nothing has changed");
            last = next;
            if expected(&last) {
                return;
            }
            eprintln!("waiting for {what}, saw {last}");
        }
    };
    let gateway = supervisor.gateway().expect("a gateway child");
    follow("the gateway", &|status| {
        status["gateway"]["pid"] == gateway.id && status["gateway"]["state"] == "serving"
    })
    .await;
    gateway.signal(Signal::KILL);
    follow("the next gateway", &|status| {
        let gateway_now = &status["gateway"];
        gateway_now["pid"] != gateway.id && gateway_now["state"] == "serving"
    })
    .await;
    let (_, home) = supervisor.terminate().await;
    follow("the end", &|status| *status == json!({"running": false})).await;
    assert!(!record(&home).exists());
}

#[tokio::test]
async fn watched_through_a_pipe_it_prints_text_without_controls() {
    let home = Home::new();
    fs::create_dir_all(home.latchkey_directory()).unwrap();
    let supervisor = Supervisor::in_home(home).start().await;
    let mut watch = watch(supervisor.home(), "human");
    let first = shows(&mut watch, "supervisor").await;
    assert!(
        first.contains(&supervisor.process().id().to_string()),
        "{first}"
    );
    let gateway = supervisor.gateway().expect("a gateway child");
    shows(&mut watch, &format!("(pid {})", gateway.id)).await;
    gateway.signal(Signal::KILL);
    let mut next = None;
    eventually("another gateway runs", async || {
        next = supervisor.gateway().filter(|next| next.id != gateway.id);
        next.is_some()
    })
    .await;
    let next = next.expect("another gateway");
    shows(&mut watch, &format!("(pid {})", next.id)).await;
}

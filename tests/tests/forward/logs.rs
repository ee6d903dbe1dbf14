//! `events.jsonl`, of the supervisor and its gateway, for programs; stderr for people.

use std::fs;

use end_to_end::{Home, Program, Supervisor, eventually, record};
use rustix::process::Signal;
use serde_json::Value;

/// `2026-01-02T03:04:05.123456789Z`.
fn is_nanosecond_timestamp(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    shape == "0000-00-00T00:00:00.000000000Z"
}

#[tokio::test]
async fn every_line_of_the_log_is_a_flat_record() {
    let supervisor = Supervisor::in_home(Home::new())
        .environment("RUST_LOG", "debug")
        .start()
        .await;
    let agent = supervisor.agent("a");
    agent.get("/permissions/self").await.expect(200);
    supervisor.mngr().started(1).await;
    supervisor.mngr().print("no event\n");
    supervisor
        .mngr()
        .complain("\u{1b}[31mred\u{1b}[0m and \"quoted\"\n");
    eventually("the complaint is in the log", async || {
        supervisor
            .events()
            .iter()
            .any(|event| event.to_string().contains("quoted"))
    })
    .await;
    supervisor
        .gateway()
        .expect("a gateway child")
        .signal(Signal::KILL);
    eventually("the log tells of the gateway's end", async || {
        supervisor.events().iter().any(|event| {
            let text = event.to_string();
            text.contains("gateway") && (text.contains("signal: 9") || text.contains("SIGKILL"))
        })
    })
    .await;
    for event in supervisor.events() {
        let members = event.as_object().expect("an object");
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        assert!(is_nanosecond_timestamp(text("timestamp")), "{event}");
        let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE", "WARNING"];
        assert!(
            levels.contains(&text("level").to_uppercase().as_str()),
            "{event}"
        );
        assert!(
            members.contains_key("message") && !text("target").is_empty(),
            "{event}"
        );
        let flat = members
            .values()
            .all(|value| !value.is_object() && !value.is_array());
        assert!(flat && !event.to_string().contains("\\u001b"), "{event}");
    }
    let (_, home) = supervisor.terminate().await;
    let log = fs::read_to_string(home.plugin_data().join("events.jsonl")).unwrap();
    assert!(log.ends_with('\n'), "the last line is cut short");
}

#[tokio::test]
async fn the_gateways_lines_come_with_their_own_targets() {
    let supervisor = Supervisor::start().await;
    eventually("lines of both processes", async || {
        let events = supervisor.events();
        let from = |part: &str| {
            events.iter().any(|event| {
                event["target"]
                    .as_str()
                    .is_some_and(|target| target.contains(part))
            })
        };
        from("gateway") && from("supervisor")
    })
    .await;
}

#[tokio::test]
async fn stderr_is_for_people_and_has_no_colours_unless_it_is_a_terminal() {
    let supervisor = Supervisor::start().await;
    let said = supervisor.process();
    said.logged("that it serves", |line| {
        line.contains("supervising").then_some(())
    })
    .await;
    for line in said.stderr().lines() {
        assert!(
            !line.starts_with('{') && !line.contains('\u{1b}'),
            "{line:?}"
        );
    }
    let (status, _) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn the_log_is_rotated_at_ten_megabytes() {
    const LIMIT: u64 = 10 * 1024 * 1024;
    let home = Home::new();
    let line = format!("{}\n", serde_json::json!({"message": "x".repeat(1000)}));
    let fits = usize::try_from(LIMIT).unwrap() / line.len();
    home.write(
        "latchkey/mngr_latchkey/events.jsonl",
        &line.repeat(fits),
        0o600,
    );
    let supervisor = Supervisor::in_home(home).start().await;
    let sizes = || -> Vec<(String, u64)> {
        let entries = fs::read_dir(supervisor.home().plugin_data())
            .unwrap()
            .flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let size = entry.metadata().ok()?.len();
                name.starts_with("events.jsonl").then_some((name, size))
            })
            .collect()
    };
    eventually("there is a second file", async || sizes().len() == 2).await;
    for (name, size) in sizes() {
        assert!(size <= LIMIT, "{name} has {size} bytes");
    }
    let first = supervisor.events().into_iter().next().expect("a record");
    assert!(
        first["timestamp"].is_string(),
        "the file of before is still written to: {first}"
    );
}

#[tokio::test]
async fn on_a_terminal_stderr_is_coloured_unless_that_is_declined() {
    for (declined, coloured) in [(None, true), (Some("1"), false)] {
        let options = Supervisor::in_home(Home::new().with_compiled_components());
        let home = options.home();
        // `script` gives it a terminal, and prints what the terminal shows.
        let command = format!(
            "exec '{}' forward --latchkey-directory '{}' --mngr-binary '{}'",
            end_to_end::program().display(),
            home.latchkey_directory().display(),
            options.mngr().path().display()
        );
        let mut terminal = Program::new("script", home.path())
            .arguments(["--quiet", "--return", "--flush", "--command", &command])
            .arguments(["/dev/null"])
            .environment("TERM", "xterm");
        if let Some(value) = declined {
            terminal = terminal.environment("NO_COLOR", value);
        }
        let mut terminal = terminal.start();
        let line = terminal.line().await;
        assert_eq!(line.contains('\u{1b}'), coloured, "{line:?}");
        eventually("gateway-info answers", async || {
            home.cli(["gateway-info"]).status.success()
        })
        .await;
        // Ctrl-C, as the terminal passes it on.
        terminal.write(b"\x03").await;
        terminal.end().await.expect_success();
        assert!(!record(home).exists());
    }
}

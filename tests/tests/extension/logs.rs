//! `extension logs`.

use std::path::Path;

use end_to_end::{Gateway, Home, Program, Running, eventually, program, within_patience};
use serde_json::Value;

use crate::stage::{HOSTILE, extension, home};

/// A gateway with the component that says what nobody should.
async fn gateway() -> Gateway {
    let home = home();
    home.install("hostile", HOSTILE);
    Gateway::in_home(home).start().await
}

/// Awaits that the output holds this text, and returns it.
async fn until_said(home: &Home, text: &str) -> String {
    let mut said = String::new();
    eventually("it is in the output", async || {
        said = extension(home, ["logs", "hostile"]).expect_success().stdout;
        said.contains(text)
    })
    .await;
    said
}

#[tokio::test]
async fn it_shows_what_an_extension_has_said_and_how_it_crashed() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    admin.get("/hostile/log").await.expect(200);
    let said = until_said(gateway.home(), "second line").await;
    assert!(
        said.contains("WARN") && !said.contains(['\u{1b}', '\u{7}']),
        "{said:?}"
    );
    admin.get("/hostile/panic").await.expect(500);
    until_said(gateway.home(), "a deliberate panic").await;

    let last = extension(gateway.home(), ["logs", "hostile", "--lines", "1"]).expect_success();
    assert!(!last.line().is_empty(), "{last}");
    let words = ["logs", "hostile", "--format", "json"];
    let json = extension(gateway.home(), words).expect_success().stdout;
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let warning = lines.iter().find(|line| line["level"] == "WARN").unwrap();
    assert!(warning["timestamp"].is_string(), "{warning}");
    assert!(
        warning["message"].as_str().unwrap().contains("second line"),
        "{warning}"
    );
}

#[tokio::test]
async fn it_outlives_the_gateway_and_the_extension() {
    let gateway = gateway().await;
    gateway.admin().get("/hostile/log").await.expect(200);
    until_said(gateway.home(), "second line").await;
    let (_, home) = gateway.terminate().await;
    until_said(&home, "second line").await;
    extension(&home, ["remove", "hostile"]).expect_success();
    until_said(&home, "second line").await;
}

#[tokio::test]
async fn who_has_said_nothing_is_told_from_who_is_not_there() {
    let home = home();
    let silent = extension(&home, ["logs", "echo"]).expect_success();
    assert_eq!(
        (silent.stdout.as_str(), silent.stderr.as_str()),
        ("", "echo has not said anything.\n")
    );
    for name in ["eco", "../echo"] {
        let unknown = extension(&home, ["logs", name]).expect_code(1);
        assert!(unknown.stderr.contains(&format!("'{name}'")), "{unknown}");
    }
}

fn follow(home: &Home) -> Running {
    let program = program();
    Program::new(program.to_str().expect("the path is text"), home.path())
        .arguments(["extension", "logs", "hostile", "--follow", "--lines", "1"])
        .arguments([
            Path::new("--latchkey-directory"),
            &home.latchkey_directory(),
        ])
        .start()
}

#[tokio::test]
async fn what_is_said_next_is_followed() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    admin.get("/hostile/log").await.expect(200);
    until_said(gateway.home(), "second line").await;
    let mut follow = follow(gateway.home());
    for _ in 0..3 {
        let line = follow.line().await;
        assert!(line.contains("second line"), "{line}");
        admin.get("/hostile/log").await.expect(200);
    }
}

#[tokio::test]
async fn following_ends_with_its_reader() {
    let home = home();
    home.write(
        "latchkey/extensions/logs/hostile.log",
        "2026-01-01T00:00:00Z INFO here\n",
        0o600,
    );
    let mut child = tokio::process::Command::new(program())
        .args([
            "extension",
            "logs",
            "hostile",
            "--follow",
            "--latchkey-directory",
        ])
        .arg(home.latchkey_directory())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = within_patience("it ends", child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
}

//! `permissions lint`: what is most likely wrong with permissions files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use end_to_end::discovery::Discovered;
use end_to_end::{Gateway, Home, Outcome, Supervisor, ask, eventually, share};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";
const REGISTERED: &str = "agent-0123456789abcdef0123456789abcdef";

fn lint(home: &Home, arguments: &[&str]) -> Outcome {
    home.cli(["permissions", "lint"].iter().chain(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn findings(outcome: &Outcome) -> Vec<Value> {
    outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {outcome}")))
        .collect()
}

fn codes(outcome: &Outcome) -> Vec<String> {
    let codes = findings(outcome).into_iter();
    codes
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .collect()
}

/// The host's file, as registering an agent makes it.
fn with_host() -> Home {
    let home = Home::new();
    let made = home.cli(["create-agent-env"]).expect_success().json();
    let handle = made["opaque_permissions_path"].as_str().expect("a path");
    home.cli([
        "link-permissions",
        "--host-id",
        HOST,
        "--opaque-path",
        handle,
    ])
    .expect_success();
    home.cli([
        "register-agent",
        "--host-id",
        HOST,
        "--agent-id",
        REGISTERED,
    ])
    .expect_success();
    home
}

fn host_file(home: &Home) -> std::path::PathBuf {
    home.plugin_data()
        .join(format!("hosts/{HOST}/latchkey_permissions.json"))
}

#[test]
fn what_the_program_writes_is_clean_but_for_a_note_that_hosts_are_not_checked() {
    let home = with_host();
    home.cli(["create-agent-env"]).expect_success();
    let outcome = lint(&home, &["--strict", "--format", "json"]).expect_success();
    assert_eq!(codes(&outcome), ["hosts-not-checked"], "{outcome}");
    let people = lint(&home, &[]).expect_success();
    let summary = people.stdout.lines().last().expect("a summary");
    assert_eq!(summary, "4 files: 0 errors, 0 warnings, 1 note", "{people}");
    assert_eq!(
        lint(&home, &["--host-id", HOST]).expect_success().line(),
        "1 file: 0 errors, 0 warnings, 0 notes"
    );
}

#[tokio::test]
async fn what_approvals_write_is_clean() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    for request in [
        ask("slack-api", ["slack-read-all"]),
        ask("slack-api", ["any"]),
        ask("github-rest-api", ["github-read-all", "github-write-all"]),
        share("/home/me/a b/é.txt", "WRITE"),
        share("/home/me", "READ"),
    ] {
        let asked = agent
            .post("/permission-requests", request)
            .await
            .expect(201);
        gateway.admin().approve(asked.id()).await.expect(200);
    }
    let outcome = lint(gateway.home(), &["--strict", "--format", "json"]).expect_success();
    assert!(
        codes(&outcome)
            .iter()
            .all(|code| code == "hosts-not-checked"),
        "{outcome}"
    );
}

#[test]
fn an_error_is_told_with_its_place_and_ends_with_1() {
    let home = Home::new();
    let policy = json!({"rules": [{"slack-api": []}, {"slack-api": ["slack-read-all"]}]});
    let file = home.write("policy.json", &policy.to_string(), 0o644);
    let people = lint(&home, &["--file", text(&file)]).expect_code(1);
    for part in [
        "error[unreachable-rule]",
        text(&file),
        "#/rules/1/slack-api",
        "rule 0 (slack-api)",
        "1 file: 1 error",
    ] {
        assert!(people.stdout.contains(part), "{part}: {people}");
    }
    let outcome = lint(&home, &["--file", text(&file), "--format", "jsonl"]).expect_code(1);
    let found = findings(&outcome);
    let [finding] = found.as_slice() else {
        panic!("{outcome}");
    };
    assert_eq!(finding["code"], "unreachable-rule");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], text(&file));
    assert_eq!(finding["rule"], 1);
    assert_eq!(finding["place"], "#/rules/1/slack-api");
    assert!(
        finding["message"].is_string() && finding["advice"].is_string(),
        "{outcome}"
    );
}

#[test]
fn a_warning_ends_with_1_only_where_that_is_asked_for() {
    let home = Home::new();
    let schema =
        json!({"properties": {"domain": {"pattern": "github.com"}}, "required": ["domain"]});
    let policy = json!({"schemas": {"it": schema}, "rules": [{"it": ["any"]}]});
    let file = home.write("policy.json", &policy.to_string(), 0o644);
    let outcome = lint(&home, &["--file", text(&file), "--format", "json"]).expect_success();
    assert_eq!(
        codes(&outcome),
        ["unanchored-pattern", "unescaped-dot"],
        "{outcome}"
    );
    assert!(outcome.stdout.contains("evilgithub.com"), "{outcome}");
    lint(&home, &["--file", text(&file), "--strict"]).expect_code(1);
}

#[test]
fn every_host_and_handle_of_the_directory_is_looked_at() {
    let home = with_host();
    let path = host_file(&home);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    symlink(
        "/nowhere",
        home.plugin_data()
            .join("permissions/0123456789abcdef0123456789abcdef.json"),
    )
    .unwrap();
    let other = format!("hosts/{}/latchkey_permissions.json", HOST.replace('0', "f"));
    home.permissions_file(&other, &json!({"rules": [{"slak-api": ["any"]}]}));
    let outcome = lint(&home, &["--format", "json"]).expect_code(1);
    let mut codes = codes(&outcome);
    codes.sort();
    let expected = [
        "dangling-handle",
        "hosts-not-checked",
        "readable-by-others",
        "unknown-name",
    ];
    assert_eq!(codes, expected, "{outcome}");
    assert!(
        outcome.stdout.contains("did you mean slack-api"),
        "{outcome}"
    );
}

#[test]
fn a_file_that_cannot_be_used_ends_with_2_and_does_not_keep_others_from_being_looked_at() {
    let home = with_host();
    fs::write(host_file(&home), "{").unwrap();
    home.permissions_file(
        "latchkey_default_permissions.json",
        &json!({"rules": [{"any": ["any", "any"]}]}),
    );
    let outcome = lint(&home, &["--format", "json"]).expect_code(2);
    let codes = codes(&outcome);
    for code in ["unusable-file", "duplicate-permission"] {
        assert!(codes.iter().any(|found| found == code), "{code}: {outcome}");
    }
    let file = home.write("policy.json", r#"{"rule": []}"#, 0o644);
    let outcome = lint(&home, &["--file", text(&file), "--format", "json"]).expect_code(2);
    assert_eq!(findings(&outcome)[0]["code"], "unusable-file", "{outcome}");
    let outcome = lint(&home, &["--file", "absent.json"]).expect_code(2);
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(
        outcome.stderr.contains("there is no permissions file at"),
        "{outcome}"
    );
}

#[test]
fn what_grants_and_revocations_write_is_clean() {
    let home = with_host();
    for (verb, what) in [
        (
            "grant",
            ["--scope", "slack-api", "--permission", "slack-read-all"],
        ),
        (
            "grant",
            ["--scope", "github-rest-api", "--permission", "any"],
        ),
        ("grant", ["--share", "/home/me/a b", "--access", "WRITE"]),
        (
            "revoke",
            ["--scope", "slack-api", "--permission", "slack-read-all"],
        ),
    ] {
        home.cli(["permissions", verb, "--host-id", HOST].iter().chain(&what))
            .expect_success();
        lint(&home, &["--host-id", HOST, "--strict"]).expect_success();
    }
}

#[tokio::test]
async fn hosts_and_agents_that_a_supervisor_does_not_know_are_told() {
    let supervisor = Supervisor::in_home(with_host()).start().await;
    let other = HOST.replace('0', "f");
    let file = supervisor.home().permissions_file(
        &format!("hosts/{other}/latchkey_permissions.json"),
        &json!({"rules": [{"slack-api": ["slack-read-all"]}]}),
    );
    let agent = Discovered::new(&REGISTERED.replace('0', "e"), HOST);
    let nowhere = json!({"user": "nobody", "host": "127.0.0.1", "port": 9, "key_path": "/nonexistent", "command": "ssh"});
    supervisor.mngr().started(1).await;
    supervisor.mngr().say(&agent.agent_discovered());
    let linted = || {
        let outcome = lint(supervisor.home(), &["--format", "json"]).expect_success();
        let mut codes = codes(&outcome);
        codes.sort();
        (codes, outcome)
    };
    eventually("an agent without a tunnel is counted", async || {
        supervisor.status()["discovery"]["agents"] == 1
    })
    .await;
    let (codes, outcome) = linted();
    assert_eq!(codes, ["hosts-not-checked"], "{outcome}");
    supervisor.mngr().say(&agent.ssh_info(&nowhere));
    eventually("the agent's host is in the status", async || {
        supervisor.status()["hosts"]
            .to_string()
            .contains(&agent.agent_id)
    })
    .await;
    let (codes, outcome) = linted();
    assert_eq!(codes, ["unknown-agent", "unknown-host"], "{outcome}");
    assert!(outcome.stdout.contains(REGISTERED), "{outcome}");
    assert!(outcome.stdout.contains(text(&file)), "{outcome}");
}

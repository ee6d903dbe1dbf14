//! `permissions list`, `grant` and `revoke`: what is granted, since when and by what, beside approvals and rules posted over HTTP.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use end_to_end::{Agent, Gateway, Home, Outcome, ask, mode, read_json, share};
use serde_json::{Value, json};
use tokio::task::JoinSet;

fn host(digit: char) -> String {
    format!("host-{}", digit.to_string().repeat(32))
}

fn agent_id(digit: char) -> String {
    format!("agent-{}", digit.to_string().repeat(32))
}

fn file_of(home: &Home, host: &str) -> PathBuf {
    home.plugin_data()
        .join("hosts")
        .join(host)
        .join("latchkey_permissions.json")
}

fn journal_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".grants.jsonl");
    name.into()
}

fn permissions(home: &Home, words: &[&str]) -> Outcome {
    home.cli(std::iter::once("permissions").chain(words.iter().copied()))
}

/// What `permissions list` says of one host, to programs.
fn listed(home: &Home, host: &str) -> Value {
    permissions(home, &["list", "--host-id", host, "--format", "json"])
        .expect_success()
        .json()
}

/// A grant in such a list.
fn grant<'a>(listed: &'a Value, scope: &str, permission: &str) -> Option<&'a Value> {
    let rules = listed["rules"].as_array().expect("a list of rules");
    let of_scope = rules.iter().filter(|rule| rule["scope"] == scope);
    of_scope
        .flat_map(|rule| rule["permissions"].as_array().expect("a list"))
        .find(|granted| granted["name"] == permission)
}

#[track_caller]
fn by<'a>(listed: &'a Value, scope: &str, permission: &str) -> &'a Value {
    let granted = grant(listed, scope, permission);
    let granted = granted.unwrap_or_else(|| panic!("{scope} {permission} is not in {listed:#}"));
    assert_eq!(
        granted["since"].is_string(),
        !matches!(granted["by"]["kind"].as_str(), Some("baseline" | "unknown")),
        "{granted}"
    );
    &granted["by"]
}

async fn approve(gateway: &Gateway, agent: &Agent, asked: Value) -> String {
    let id = agent
        .post("/permission-requests", asked)
        .await
        .expect(201)
        .id();
    gateway.admin().approve(&id).await.expect(200);
    id
}

#[tokio::test]
async fn each_grant_says_since_when_it_is_there_and_how_it_came() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let home = gateway.home();
    let mut asked = ask("slack-api", ["slack-read-all"]);
    asked["agent_id"] = agent.id.as_str().into();
    let id = approve(&gateway, &agent, asked).await;
    let file = agent.permissions.display();
    let target = format!("/permissions/rules?path={file}&rule_key=github-rest-api");
    let rule = json!(["github-read-all"]);
    gateway.admin().post(&target, rule).await.expect(201);
    let words = ["grant", "--host-id", &agent.host_id, "--scope", "slack-api"];
    let words = [&words[..], &["--permission", "slack-write-all"]].concat();
    permissions(home, &words).expect_success();
    let mut config = read_json(&agent.permissions);
    let by_hand = json!({"linear-api": ["any"]});
    config["rules"].as_array_mut().unwrap().push(by_hand);
    fs::write(&agent.permissions, config.to_string()).unwrap();

    let list = listed(home, &agent.host_id);
    assert_eq!(list["host_id"], agent.host_id, "{list:#}");
    assert_eq!(list["agents"], json!([agent.id]), "{list:#}");
    assert_eq!(
        (&list["usable"], &list["observe"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        *by(&list, "slack-api", "slack-read-all"),
        json!({
            "kind": "approval", "request_id": id, "agent_id": agent.id, "extension": "permission-requests",
        })
    );
    assert_eq!(
        *by(&list, "github-rest-api", "github-read-all"),
        json!({"kind": "rules-post", "extension": "permissions"})
    );
    assert_eq!(
        by(&list, "slack-api", "slack-write-all")["kind"],
        "command-line"
    );
    assert_eq!(by(&list, "linear-api", "any")["kind"], "unknown");
    assert_eq!(
        by(&list, "latchkey-self", "minds-api-proxy-per-agent")["kind"],
        "baseline"
    );

    let text = permissions(home, &["list", "--agent-id", &agent.id]).expect_success();
    let approved = format!("approved: request {id} of {}", agent.id);
    for expected in [
        approved.as_str(),
        "slack-api (Slack)",
        "set by a rules POST",
        "by hand",
    ] {
        assert!(
            text.stdout.contains(expected),
            "{expected} is not in {text}"
        );
    }
    assert_eq!(mode(&journal_of(&agent.permissions)), 0o600);
}

#[tokio::test]
async fn what_a_handle_was_granted_before_it_was_linked_is_still_told_afterwards() {
    let gateway = Gateway::start().await;
    let created = gateway.cli(["create-agent-env"]).expect_success();
    let created = created.json();
    let handle = created["opaque_permissions_path"].as_str().unwrap();
    let agent = gateway.bearer_of(Path::new(handle));
    let asked = ask("slack-api", ["slack-read-all"]);
    let id = agent
        .post("/permission-requests", asked)
        .await
        .expect(201)
        .id();
    gateway.admin().approve(&id).await.expect(200);
    let env = gateway
        .home()
        .write("agent.json", &created.to_string(), 0o600);
    let words = [
        "list",
        "--agent-env",
        env.to_str().unwrap(),
        "--format",
        "json",
    ];
    let before = permissions(gateway.home(), &words).expect_success().json();
    assert_eq!(before["host_id"], Value::Null);
    let host = host('1');
    gateway
        .cli([
            "link-permissions",
            "--host-id",
            &host,
            "--opaque-path",
            handle,
        ])
        .expect_success();
    let after = permissions(gateway.home(), &words).expect_success().json();
    assert_eq!(after["host_id"], host);
    for list in [before, after, listed(gateway.home(), &host)] {
        assert_eq!(by(&list, "slack-api", "slack-read-all")["request_id"], id);
    }
    assert!(!journal_of(Path::new(handle)).exists());
}

#[tokio::test]
async fn sharing_by_hand_does_what_an_approval_does() {
    let gateway = Gateway::start().await;
    let home = gateway.home();
    let (approved, granted) = (gateway.agent("a").await, gateway.agent("b").await);
    for (path, access) in [
        ("/home/me/é ü/", "READ"),
        ("/home/me/é ü", "WRITE"),
        ("/a.b", "READ"),
    ] {
        approve(&gateway, &approved, share(path, access)).await;
        let words = ["grant", "--host-id", &granted.host_id, "--share", path];
        permissions(home, &[&words[..], &["--access", access]].concat()).expect_success();
    }
    let text = |agent: &Agent| fs::read_to_string(&agent.permissions).unwrap();
    assert_eq!(
        text(&approved)
            .replace(&approved.id, &granted.id)
            .trim_end(),
        text(&granted).trim_end()
    );
    let list = listed(home, &granted.host_id);
    let shared = grant(
        &list,
        "latchkey-self",
        "minds-file-server-write-/home/me/é ü",
    );
    assert_eq!(
        shared.expect("it is listed")["share"],
        json!({"path": "/home/me/é ü", "access": "WRITE", "as_defined_here": true})
    );
    let target = "/minds-api-proxy/api/v1/files/home/me/%C3%A9%20%C3%BC/x";
    let put = async || granted.request("PUT", target).send().await.status;
    // Nobody is behind the proxy here: the permission check lets it through.
    assert_eq!(put().await, 503);
    let words = [
        "revoke",
        "--host-id",
        &granted.host_id,
        "--share",
        "/home/me/é ü",
        "--access",
    ];
    permissions(home, &[&words[..], &["WRITE"]].concat()).expect_success();
    assert_eq!(put().await, 403);
}

#[tokio::test]
async fn an_approval_after_a_revocation_is_told_as_the_newest() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let asked = || ask("slack-api", ["slack-read-all"]);
    approve(&gateway, &agent, asked()).await;
    let words = [
        "revoke",
        "--host-id",
        &agent.host_id,
        "--scope",
        "slack-api",
    ];
    let revoked = permissions(gateway.home(), &words).expect_success();
    assert_eq!(revoked.stdout, "revoked slack-api: slack-read-all\n");
    let again = permissions(gateway.home(), &words).expect_success();
    assert!(again.stdout.starts_with("nothing changed in "), "{again}");
    assert!(
        grant(
            &listed(gateway.home(), &agent.host_id),
            "slack-api",
            "slack-read-all"
        )
        .is_none()
    );
    let second = approve(&gateway, &agent, asked()).await;
    let list = listed(gateway.home(), &agent.host_id);
    assert_eq!(
        by(&list, "slack-api", "slack-read-all")["request_id"],
        second
    );
}

#[tokio::test]
async fn grants_revocations_and_approvals_at_once_lose_nothing() {
    const EACH: usize = 10;
    let gateway = Arc::new(Gateway::start().await);
    let agent = gateway.agent("a").await;
    let mut approvals = Vec::new();
    for number in 0..EACH {
        let asked = share(&format!("/approved/{number}"), "READ");
        let request = agent.post("/permission-requests", asked).await.expect(201);
        approvals.push(request.id());
        let words = ["grant", "--host-id", &agent.host_id, "--access", "READ"];
        let path = format!("/revoked/{number}");
        permissions(gateway.home(), &[&words[..], &["--share", &path]].concat()).expect_success();
    }
    let mut writers = JoinSet::new();
    for (number, id) in approvals.iter().cloned().enumerate() {
        let admin = gateway.admin();
        writers.spawn(async move {
            admin.approve(id).await.expect(200);
        });
        for (verb, path) in [("grant", "granted"), ("revoke", "revoked")] {
            let (gateway, host) = (Arc::clone(&gateway), agent.host_id.clone());
            writers.spawn_blocking(move || {
                let path = format!("/{path}/{number}");
                let words = [
                    verb,
                    "--host-id",
                    &host,
                    "--share",
                    &path,
                    "--access",
                    "READ",
                ];
                permissions(gateway.home(), &words).expect_success();
            });
        }
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    let list = listed(gateway.home(), &agent.host_id);
    let name = |kind: &str, number| format!("minds-file-server-read-/{kind}/{number}");
    let mut ids = BTreeSet::new();
    for number in 0..EACH {
        let approved = by(&list, "latchkey-self", &name("approved", number));
        ids.insert(approved["request_id"].as_str().unwrap().to_owned());
        let granted = by(&list, "latchkey-self", &name("granted", number));
        assert_eq!(granted["kind"], "command-line");
        let revoked = grant(&list, "latchkey-self", &name("revoked", number));
        assert_eq!(revoked, None);
    }
    assert_eq!(ids, approvals.into_iter().collect());
    assert_eq!(mode(&agent.permissions), 0o600);
    agent.get("/permissions/self").await.expect(200);
}

#[test]
fn a_host_is_created_as_a_fresh_agents_and_found_by_its_agent() {
    let home = Home::new();
    let (host, agent) = (host('1'), agent_id('a'));
    let slack = ["--scope", "slack-api", "--permission", "slack-read-all"];
    let by_host = |verb| [&[verb, "--host-id", &host], &slack[..]].concat();
    let by_agent = |verb| [&[verb, "--agent-id", &agent], &slack[..]].concat();
    let file = file_of(&home, &host);
    permissions(&home, &by_host("revoke")).expect_failure(&format!(
        "Error: there is no permissions file {}, so nothing can be revoked",
        file.display()
    ));
    permissions(&home, &by_agent("grant")).expect_code(1);
    let dry = permissions(&home, &[&by_host("grant")[..], &["--dry-run"]].concat());
    let dry = dry.expect_success().stdout;
    assert!(
        dry.contains("would grant slack-api: slack-read-all"),
        "{dry}"
    );
    assert!(!file.exists());
    let made = permissions(
        &home,
        &[&by_host("grant")[..], &["--format", "json"]].concat(),
    );
    let made = made.expect_success().json();
    assert_eq!(made["created"], true, "{made}");
    let change =
        json!([{"action": "grant", "scope": "slack-api", "permissions": ["slack-read-all"]}]);
    assert_eq!(
        (&made["changes"], &made["changed"]),
        (&change, &json!(true))
    );
    assert_eq!(mode(&file), 0o600);
    home.cli(["register-agent", "--host-id", &host, "--agent-id", &agent])
        .expect_success();
    let again = permissions(&home, &by_agent("grant")).expect_success();
    assert!(again.stdout.starts_with("nothing changed in "), "{again}");
    home.cli([
        "register-agent",
        "--host-id",
        &self::host('2'),
        "--agent-id",
        &agent,
    ])
    .expect_success();
    let several = permissions(&home, &by_agent("revoke")).expect_code(1);
    assert!(
        several.stderr.contains("is registered on several hosts"),
        "{several}"
    );
}

#[test]
fn every_host_is_listed_and_an_unusable_file_is_said_to_be() {
    let home = Home::new();
    let empty = permissions(&home, &["list"]).expect_success();
    assert!(
        empty.stdout.starts_with("No host has a permissions file"),
        "{empty}"
    );
    let slack = ["--scope", "slack-api", "--permission", "any"];
    for digit in ['2', '1'] {
        let host = host(digit);
        let words = [&["grant", "--host-id", &host], &slack[..]].concat();
        permissions(&home, &words).expect_success();
    }
    home.permissions_file(
        &format!("hosts/{}/latchkey_permissions.json", host('3')),
        &json!({"include": ["missing.json"], "rules": [{"slack-api": ["slack-unheard-of"]}]}),
    );
    let list = permissions(&home, &["list", "--format", "jsonl"]).expect_success();
    let list: Vec<Value> = list
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let hosts: Vec<_> = list
        .iter()
        .map(|one| one["host_id"].as_str().unwrap())
        .collect();
    assert_eq!(hosts, [host('1'), host('2'), host('3')]);
    let broken = &list[2];
    assert_eq!(broken["usable"], false);
    assert!(
        broken["error"]
            .as_str()
            .unwrap()
            .contains("slack-unheard-of"),
        "{broken}"
    );
    assert_eq!(broken["includes"][0]["found"], false);
    let third = host('3');
    let words = [&["grant", "--host-id", &third], &slack[..]].concat();
    let refused = permissions(&home, &words).expect_code(1);
    assert!(refused.stderr.contains("slack-unheard-of"), "{refused}");
    let text = permissions(&home, &["list"]).expect_success().stdout;
    assert!(
        text.contains("UNUSABLE: ") && text.contains("(missing, counts as empty)"),
        "{text}"
    );
}

#[test]
fn a_host_in_observe_mode_is_said_to_be_before_its_grants() {
    let home = Home::new();
    let host = host('1');
    let words = [
        "grant",
        "--host-id",
        &host,
        "--scope",
        "slack-api",
        "--permission",
        "any",
    ];
    permissions(&home, &words).expect_success();
    permissions(&home, &["observe", "--host-id", &host, "--for", "1h"]).expect_success();
    let text = permissions(&home, &["list"]).expect_success().stdout;
    let (before, _) = text.split_once("slack-api").expect("its grants");
    assert!(before.contains("OBSERVE MODE: "), "{text}");
    assert!(listed(&home, &host)["observe"]["until"].is_string());
}

#[test]
fn wrong_words_are_usage_errors() {
    let home = Home::new();
    let host = host('1');
    let grant = ["grant", "--host-id", &host];
    for (words, message) in [
        (
            &["--scope", "slack-api"][..],
            "Error: Missing option '--permission'.",
        ),
        (&["--share", "/d"], "Error: Missing option '--access'."),
        (&[], "Error: Missing option '--scope'."),
        (
            &["--share", "d", "--access", "READ"],
            "Error: --share must be absolute (start with '/'): got d",
        ),
        (
            &["--share", "/d/../e", "--access", "READ"],
            "Error: --share contains a '..' segment, refusing as a path-traversal attempt: /d/../e",
        ),
    ] {
        permissions(&home, &[&grant[..], words].concat()).expect_usage_error(message);
    }
    permissions(&home, &["revoke", "--host-id", "x", "--scope", "slack-api"]).expect_usage_error(
        "Error: --host-id is not a valid host ID: HostId must start with 'host-', got 'x'",
    );
    assert!(!file_of(&home, &host).exists());
}

/// Death at every durable step of the command: what is granted has its origin, and doing it again finishes it.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_grant_is_made_with_its_note_or_not_made_at_all() {
    use std::os::unix::process::ExitStatusExt;

    use end_to_end::{CrashPoint, Interposer, Side};

    let interposer = Interposer::build();
    let home = Home::new();
    for (digit, side) in [('1', Side::Before), ('2', Side::After)] {
        let host = host(digit);
        home.cli([
            "register-agent",
            "--host-id",
            &host,
            "--agent-id",
            &agent_id('a'),
        ])
        .expect_success();
        // Its journal is there from the first death on; a host without one would have more steps.
        let mut deaths = 0;
        for step in 1.. {
            assert!(step < 60, "it never ends");
            let path = format!("/d/{step}");
            let words = [
                "permissions",
                "grant",
                "--host-id",
                &host,
                "--access",
                "READ",
            ];
            let command = || {
                home.command(words)
                    .arguments(["--share", &path, "--latchkey-directory"])
                    .argument(home.latchkey_directory())
            };
            let point = CrashPoint { step, side };
            let doomed = interposer
                .variables(point)
                .into_iter()
                .fold(command(), |command, (name, value)| {
                    command.environment(name, value)
                });
            interposer.arm();
            let outcome = doomed.run();
            interposer.disarm();
            let name = format!("minds-file-server-read-{path}");
            let list = listed(&home, &host);
            if grant(&list, "latchkey-self", &name).is_some() {
                assert_eq!(
                    by(&list, "latchkey-self", &name)["kind"],
                    "command-line",
                    "{point:?}"
                );
            }
            if outcome.status.success() {
                break;
            }
            assert_eq!(outcome.status.signal(), Some(9), "{outcome}");
            deaths += 1;
            command().run().expect_success();
            let list = listed(&home, &host);
            assert_eq!(
                by(&list, "latchkey-self", &name)["kind"],
                "command-line",
                "{point:?}"
            );
        }
        assert!(deaths >= 4, "it has only {deaths} steps");
    }
}

//! Observe mode: a dry run of a host's permissions, and what it never lets through.

use std::fs;
use std::path::PathBuf;

use end_to_end::{Agent, Gateway, Home, Supervisor, Upstream, ask, eventually, mode, read_json};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What the agent baseline denies, and the proxy would answer.
const PROXIED: &str = "/minds-api-proxy/api/v1/files/home/me";

async fn pair() -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway().start().await;
    (upstream, gateway)
}

fn begin(gateway: &Gateway, agent: &Agent, time: &str) {
    gateway
        .cli([
            "permissions",
            "observe",
            "--host-id",
            &agent.host_id,
            "--for",
            time,
        ])
        .expect_success();
}

fn file(home: &Home, agent: &Agent) -> PathBuf {
    home.plugin_data()
        .join("hosts")
        .join(&agent.host_id)
        .join("latchkey_observe.json")
}

/// What `permissions observe` tells programs, a value a line.
fn listed(gateway: &Gateway, arguments: &[&str]) -> Vec<Value> {
    let words = ["permissions", "observe", "--format", "jsonl"];
    let outcome = gateway.cli(words.iter().chain(arguments)).expect_success();
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_would_be_denied_is_let_through_and_listed() {
    let (upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    agent.get(PROXIED).await.expect(403);
    assert!(listed(&gateway, &[]).is_empty());
    begin(&gateway, &agent, "1h");
    assert_eq!(mode(&file(gateway.home(), &agent)), 0o600);

    let target = format!("{PROXIED}?q=1");
    for _ in 0..2 {
        let answer = agent.get(&target).await.expect(200);
        assert_eq!(answer.text(), "GET /api/v1/files/home/me?q=1");
        assert_eq!(answer.headers.get("x-latchkey-gateway-request-id"), None);
    }
    agent
        .request("PUT", PROXIED)
        .body("x")
        .send()
        .await
        .expect(200);
    assert_eq!(upstream.requests().len(), 3);
    // What is allowed anyway is no would-be denial.
    agent.get("/permissions/self").await.expect(200);

    eventually("the log has the would-be denials", async || {
        listed(&gateway, &[])[0]["would_be_denials"] == 3
    })
    .await;
    let all = listed(&gateway, &["--host-id", &agent.host_id]);
    let [host] = &all[..] else { panic!("{all:?}") };
    assert_eq!(host["observed"], true, "{host}");
    assert_eq!(host["host_id"], json!(agent.host_id), "{host}");
    let remaining = host["remaining_seconds"].as_u64().unwrap();
    assert!((3000..=3600).contains(&remaining), "{host}");
    let kinds: Vec<Value> = host["denials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| json!([kind["method"], kind["path"], kind["count"], kind["scope"]]))
        .collect();
    assert_eq!(
        kinds,
        [
            json!(["PUT", PROXIED, 1, "latchkey-self"]),
            json!(["GET", PROXIED, 2, "latchkey-self"]),
        ],
        "the latest first"
    );
    let text = gateway.cli(["permissions", "observe", "--denials"]);
    let text = text.expect_success().stdout;
    for part in [
        "OBSERVE MODE",
        &agent.host_id,
        "3 would have been denied",
        PROXIED,
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let log = fs::read_to_string(gateway.home().plugin_data().join("events.jsonl")).unwrap();
    let record = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|record| record["request_id"] == host["denials"][0]["request_id"])
        .expect("the listed id is in the log");
    assert_eq!(
        [&record["level"], &record["enforced"], &record["verdict"]],
        [&json!("WARN"), &json!(false), &json!("deny")],
        "{record}"
    );
}

#[tokio::test]
async fn it_ends_at_a_word_and_by_itself() {
    let (_upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    begin(&gateway, &agent, "1h");
    agent.get(PROXIED).await.expect(200);
    let end = [
        "permissions",
        "observe",
        "--host-id",
        &agent.host_id,
        "--end",
    ];
    let outcome = gateway.cli(end).expect_success();
    assert!(outcome.stdout.contains("enforced"), "{outcome}");
    agent.get(PROXIED).await.expect(403);

    begin(&gateway, &agent, "2s");
    eventually("the permissions are enforced again", async || {
        agent.get(PROXIED).await.status == 403
    })
    .await;
    assert!(listed(&gateway, &[]).is_empty());
    let [shown] = &listed(&gateway, &["--host-id", &agent.host_id])[..] else {
        panic!("the file is still there");
    };
    assert_eq!(shown["observed"], false, "{shown}");
}

#[tokio::test]
async fn one_hosts_mode_is_no_other_hosts() {
    let (_upstream, gateway) = pair().await;
    let (a, b) = (gateway.agent("a").await, gateway.agent("b").await);
    begin(&gateway, &a, "1h");
    a.get(PROXIED).await.expect(200);
    b.get(PROXIED).await.expect(403);
    gateway.guest().get(PROXIED).await.expect(403);
    let host_file = gateway
        .home()
        .plugin_data()
        .join("hosts")
        .join(&a.host_id)
        .join("latchkey_permissions.json");
    // Named directly, without a handle.
    gateway.bearer_of(&host_file).get(PROXIED).await.expect(200);
}

#[tokio::test]
async fn nobody_grants_themselves_anything_during_a_dry_run() {
    let (upstream, gateway) = pair().await;
    let (agent, other) = (gateway.agent("a").await, gateway.agent("b").await);
    let pending = agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    begin(&gateway, &agent, "1h");
    let before = fs::read_to_string(&agent.permissions).unwrap();
    let id = pending.id();
    let rules = format!(
        "/permissions/rules?path=hosts/{}/latchkey_permissions.json&rule_key=any",
        agent.host_id
    );
    for (method, target) in [
        ("POST", format!("/permission-requests/approve/{id}")),
        ("DELETE", format!("/permission-requests/{id}")),
        ("GET", "/permission-requests".to_owned()),
        ("GET", "/permission-requests?follow=true".to_owned()),
        ("POST", "/permission-requests/".to_owned()),
        ("POST", rules.clone()),
        ("DELETE", rules.clone()),
        ("GET", rules),
        (
            "GET",
            format!(
                "/permissions?path={}",
                gateway.home().admin_permissions().display()
            ),
        ),
        ("GET", "/permissions/available".to_owned()),
        ("PUT", "/permissions/self".to_owned()),
        (
            "GET",
            format!("/minds-api-proxy/api/v1/agents/{}/x", other.id),
        ),
        (
            "GET",
            format!("/minds-api-proxy/api/v1/%61gents/{}/x", other.id),
        ),
        (
            "GET",
            format!("/minds-api-proxy//api/v1/agents/{}/x", other.id),
        ),
        ("GET", "/minds-api-proxy/api/v1/agents".to_owned()),
    ] {
        let answer = agent
            .request(method, &target)
            .body(r#"["any"]"#)
            .send()
            .await
            .expect(403);
        assert!(
            answer.headers.contains_key("x-latchkey-gateway-request-id"),
            "{answer}"
        );
    }
    assert_eq!(fs::read_to_string(&agent.permissions).unwrap(), before);
    assert_eq!(gateway.admin().pending().await.len(), 1);
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_decide_and_a_wrong_token_stay_refused() {
    let (_upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    begin(&gateway, &agent, "1h");
    fs::write(&agent.permissions, r#"{"rules": [{"no-such-scope": []}]}"#).unwrap();
    let answer = agent.get(PROXIED).await.expect(403);
    assert!(
        answer.error().contains("Permission check failed"),
        "{answer}"
    );
    gateway.with_token("x").get(PROXIED).await.expect(401);
    gateway.stranger().get(PROXIED).await.expect(401);
}

#[tokio::test]
async fn it_outlives_the_gateway_which_says_so_at_its_start() {
    let (upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    begin(&gateway, &agent, "1h");
    let (_, home) = gateway.terminate().await;
    let gateway = Gateway::in_home(home)
        .environment(end_to_end::UPSTREAM_URL, upstream.url())
        .start()
        .await;
    let host = agent.host_id.clone();
    gateway
        .process()
        .logged("the host in observe mode", |line| {
            (line.contains("WARN") && line.contains("OBSERVE MODE") && line.contains(&host))
                .then_some(())
        })
        .await;
    let token = gateway.bearer_of(&agent.permissions);
    token.get(PROXIED).await.expect(200);
}

#[tokio::test]
async fn a_supervised_gateway_that_is_replaced_goes_on_and_says_so() {
    let supervisor = Supervisor::start().await;
    let agent = supervisor.agent("a");
    let host = agent.host_id.as_str();
    supervisor
        .cli(["permissions", "observe", "--host-id", host, "--for", "1h"])
        .expect_success();
    // As if it were allowed: nobody serves it.
    agent.get("/nowhere").await.expect(404);
    let first = supervisor.gateway().expect("a gateway child");
    first.signal(Signal::KILL);
    eventually("the next gateway warns of the mode", async || {
        let warnings = supervisor.events().into_iter().filter(|event| {
            event["message"]
                .as_str()
                .is_some_and(|message| message.contains("OBSERVE MODE"))
                && event["host"] == host
        });
        warnings.count() == 2
    })
    .await;
    agent.get("/nowhere").await.expect(404);
    let status = supervisor.status();
    assert_eq!(status["observe_mode"][0]["host_id"], host, "{status}");
}

#[tokio::test]
async fn a_malformed_file_enforces_and_everybody_is_told() {
    let (_upstream, gateway) = pair().await;
    let agent = gateway.agent("a").await;
    begin(&gateway, &agent, "1h");
    let path = file(gateway.home(), &agent);
    let good = read_json(&path);
    let mut endless = good.clone();
    endless["until"] = json!("2999-01-01T00:00:00Z");
    for content in ["", "{}", "no JSON", &endless.to_string()] {
        fs::write(&path, content).unwrap();
        agent.get(PROXIED).await.expect(403);
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    gateway
        .process()
        .logged("what is wrong with the file", |line| {
            (line.contains("WARN") && line.contains(name)).then_some(())
        })
        .await;
    let text = gateway
        .cli(["permissions", "observe"])
        .expect_success()
        .stdout;
    assert!(text.contains(name) && text.contains("enforced"), "{text}");
    let [shown] = &listed(&gateway, &[])[..] else {
        panic!("the file is not listed");
    };
    assert!(
        shown["observed"] == false && shown["error"].is_string(),
        "{shown}"
    );
    fs::write(&path, good.to_string()).unwrap();
    agent.get(PROXIED).await.expect(200);
}

#[tokio::test]
async fn status_says_so_whether_a_supervisor_runs_or_not() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let status = || gateway.cli(["status"]).expect_code(1);
    assert_eq!(status().stdout, "");
    begin(&gateway, &agent, "1h");
    let shown = status().stdout;
    assert!(
        shown.starts_with("OBSERVE MODE") && shown.contains(&agent.host_id),
        "{shown}"
    );
    let value = gateway.cli(["status", "--format", "json"]).expect_code(1);
    let observed = &value.json()["observe_mode"];
    assert_eq!(observed[0]["host_id"], json!(agent.host_id), "{observed}");
}

#[tokio::test]
async fn only_a_known_host_is_observed_and_only_for_a_stated_time() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let observe = |arguments: &[&str]| {
        let words = ["permissions", "observe"];
        gateway.cli(words.iter().chain(arguments))
    };
    let host = agent.host_id.as_str();
    for time in ["8d", "0s", "1", "soon", "-1h"] {
        let time = format!("--for={time}");
        observe(&["--host-id", host, &time]).expect_code(2);
    }
    observe(&["--for", "1h"]).expect_usage_error("Error: Missing option '--host-id'.");
    observe(&["--end"]).expect_usage_error("Error: Missing option '--host-id'.");
    observe(&["--host-id", "x", "--for", "1h"]).expect_code(2);
    observe(&["--host-id", host, "--for", "1h", "--end"]).expect_code(2);
    let stranger = format!("host-{}", "9".repeat(32));
    let outcome = observe(&["--host-id", &stranger, "--for", "1h"]).expect_code(1);
    assert!(outcome.stderr.contains(&stranger), "{outcome}");
    let outcome = observe(&["--host-id", &stranger]).expect_success();
    assert!(outcome.stdout.contains("not in observe mode"), "{outcome}");
    assert!(!file(gateway.home(), &agent).exists());
}

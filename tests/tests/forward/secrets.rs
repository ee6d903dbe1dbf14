//! No secret is in anything that it prints, writes for readers, or shows in the process list.

use std::fs;
use std::path::Path;

use end_to_end::{
    Home, KEY, Supervisor, UPSTREAM_KEY, UPSTREAM_URL, Upstream, eventually, processes_that_name,
};
use rustix::process::Signal;
use serde_json::json;

/// Every file below a directory, with its content.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else if let Ok(content) = fs::read(&path) {
            found.push((
                path.display().to_string(),
                String::from_utf8_lossy(&content).into_owned(),
            ));
        }
    }
    found
}

#[tokio::test]
async fn no_output_holds_the_key_the_password_a_token_or_the_api_key() {
    let upstream = Upstream::start().await;
    let supervisor = Supervisor::in_home(Home::new())
        .environment(UPSTREAM_URL, upstream.url())
        .environment(UPSTREAM_KEY, KEY)
        .environment("RUST_LOG", "trace")
        .start()
        .await;
    let agent = supervisor.agent("a");
    let admin = supervisor
        .cli(["admin-jwt"])
        .expect_success()
        .line()
        .to_owned();
    let info = supervisor.cli(["gateway-info"]).expect_success().json();
    let key = fs::read_to_string(
        supervisor
            .home()
            .latchkey_directory()
            .join("encryption_key"),
    )
    .unwrap();
    let variable = |name: &str| -> String {
        let mut pairs = agent.environment.iter();
        pairs
            .find(|(variable, _)| variable == name)
            .expect("a variable")
            .1
            .clone()
    };
    let secrets = [
        (
            "encryption key",
            key.trim().trim_end_matches('=').to_owned(),
        ),
        ("password", info["password"].as_str().unwrap().to_owned()),
        (
            "agent's token",
            variable("LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"),
        ),
        ("admin's token", admin.clone()),
        ("API key", KEY.to_owned()),
    ];

    // Whatever may be worth a line: success, refusal, failure, and a gateway and an observe that are replaced.
    let own = format!("/minds-api-proxy/api/v1/agents/{}/x", agent.id);
    agent.get(&own).await.expect(200);
    agent.get("/permissions/available/slack").await;
    agent.get("/permissions/../etc").await;
    supervisor.with_token(&admin).get("/permissions/self").await;
    supervisor.with_token(&format!("{admin}x")).get("/").await;
    supervisor
        .with_token(&format!("{admin}x"))
        .get("/permissions/self")
        .await
        .expect(401);
    upstream.stop().await;
    agent.get(&own).await.expect(502);
    let mngr = supervisor.mngr();
    mngr.say(&json!({"type": "AGENT_DISCOVERED", "agent": {"password": "of nobody"}}));
    mngr.complain("a complaint\n");
    supervisor
        .gateway()
        .expect("a gateway child")
        .signal(Signal::KILL);
    supervisor.signal(Signal::HUP);
    mngr.started(2).await;
    eventually("the next gateway serves", async || {
        agent.get("/permissions/self").await.status == 200
    })
    .await;

    let mut shown = vec![
        ("stderr".to_owned(), supervisor.process().stderr()),
        ("status".to_owned(), supervisor.cli(["status"]).stdout),
        (
            "status --format json".to_owned(),
            supervisor.status().to_string(),
        ),
    ];
    shown.extend(
        processes_that_name(supervisor.home().path())
            .into_iter()
            .map(|process| {
                (
                    format!("process list: {}", process.command[0]),
                    process.command.join(" "),
                )
            }),
    );
    let kept = files(&supervisor.home().plugin_data());
    assert!(
        kept.iter().any(|(path, _)| path.ends_with("events.jsonl")),
        "no log"
    );
    shown.extend(kept);
    for (place, text) in &shown {
        for (name, secret) in &secrets {
            // A part of it would do for whoever has the rest.
            let part = &secret[secret.len() / 2..];
            assert!(!text.contains(part), "{place} shows the {name}");
        }
    }
    let (_, home) = supervisor.terminate().await;
    let log = fs::read_to_string(home.plugin_data().join("events.jsonl")).unwrap();
    for (name, secret) in &secrets {
        assert!(
            !log.contains(secret.as_str()),
            "the log of the end shows the {name}"
        );
    }
}

/// The environment with which a process was started.
fn environment_of(process: u32) -> Vec<String> {
    let text = fs::read(format!("/proc/{process}/environ")).unwrap();
    let pairs = text.split(|&byte| byte == 0);
    pairs
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect()
}

#[tokio::test]
async fn mngr_is_given_no_secret_and_the_gateway_those_that_it_needs() {
    const ENCRYPTION_KEY: &str = "LATCHKEY_ENCRYPTION_KEY";
    let key = "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgbG9uZyE=";
    let supervisor = Supervisor::in_home(Home::new())
        .environment(UPSTREAM_KEY, KEY)
        .environment(ENCRYPTION_KEY, key)
        .environment("A_SETTING_OF_MNGRS", "kept")
        .start()
        .await;
    let start = supervisor.mngr().started(1).await;
    let gateway = supervisor.gateway().expect("a gateway child");
    let has = |environment: &[String], name: &str, value: &str| {
        environment.contains(&format!("{name}={value}"))
    };
    assert!(
        has(&start.environment, "A_SETTING_OF_MNGRS", "kept"),
        "{:?}",
        start.environment
    );
    for (name, value) in [(UPSTREAM_KEY, KEY), (ENCRYPTION_KEY, key)] {
        assert!(
            has(&environment_of(supervisor.process().id()), name, value),
            "{name} has not reached the supervisor"
        );
        assert!(
            has(&environment_of(gateway.id), name, value),
            "{name} has not reached the gateway"
        );
    }
    // Neither mngr nor anybody else whom the supervisor starts.
    let mut others = supervisor.children();
    others.retain(|child| child.id != gateway.id);
    assert!(others.iter().any(|child| child.id == start.process));
    for other in others {
        let shown = environment_of(other.id).join("\n");
        for secret in [KEY, key] {
            assert!(!shown.contains(secret), "{other:?} was given {secret}");
        }
    }
}

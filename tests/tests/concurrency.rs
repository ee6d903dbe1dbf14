//! Many writers of one file, in the gateway and in processes of their own: no edit is lost, and a reader never sees a part.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use end_to_end::{Gateway, Home, mode, read_json, share};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Reads a file over and over until it is asked for its verdict.
struct Reader {
    stop: Arc<AtomicBool>,
    reading: JoinHandle<Result<usize, String>>,
}

impl Reader {
    fn of(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reading = std::thread::spawn(move || {
            let mut readings = 0;
            while !stopped.load(Ordering::Relaxed) {
                inspect(&path)?;
                readings += 1;
                std::thread::yield_now();
            }
            Ok(readings)
        });
        Self { stop, reading }
    }

    /// Panics when it ever saw something else than a private file with a JSON object.
    fn verdict(self) {
        self.stop.store(true, Ordering::Relaxed);
        let readings = self.reading.join().expect("a reader returns its error");
        let readings = readings.unwrap_or_else(|error| panic!("{error}"));
        assert!(readings > 0, "nobody has read");
    }
}

fn inspect(path: &Path) -> Result<(), String> {
    let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let value: Value = serde_json::from_slice(&content)
        .map_err(|error| format!("{error} in {:?}", String::from_utf8_lossy(&content)))?;
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    let mode = metadata.permissions().mode() & 0o777;
    if value.is_object() && mode == 0o600 {
        Ok(())
    } else {
        Err(format!("mode {mode:03o}, {value}"))
    }
}

fn schemas(config: &Value) -> Vec<&String> {
    config["schemas"].as_object().unwrap().keys().collect()
}

fn rule_keys(config: &Value) -> Vec<&String> {
    let rules = config["rules"].as_array().unwrap();
    rules
        .iter()
        .flat_map(|rule| rule.as_object().unwrap().keys())
        .collect()
}

fn agent_id(number: usize) -> String {
    format!("agent-{number:032x}")
}

#[tokio::test]
async fn fifty_writers_of_one_file_lose_no_edit() {
    const EACH: usize = 17;
    let gateway = Arc::new(Gateway::start().await);
    let agent = gateway.agent("shared").await;
    let mut ids = Vec::new();
    for number in 0..EACH {
        let asked = share(&format!("/approved/{number}"), "READ");
        let request = agent.post("/permission-requests", asked).await.expect(201);
        ids.push(request.id());
    }
    let reader = Reader::of(agent.permissions.clone());
    let mut writers = JoinSet::new();
    for (number, id) in ids.into_iter().enumerate() {
        let admin = gateway.admin();
        writers.spawn(async move {
            admin.approve(id).await.expect(200);
        });
        let admin = gateway.admin();
        let path = agent.permissions.display().to_string();
        writers.spawn(async move {
            let target = format!("/permissions/rules?path={path}&rule_key=edited-{number}");
            let rule = json!({
                "permissions": ["any"],
                "schemas": {format!("edited-{number}"): {"properties": {"path": {"const": "/"}}}},
            });
            admin.post(&target, rule).await.expect(201);
        });
        let gateway = Arc::clone(&gateway);
        let host = agent.host_id.clone();
        writers.spawn_blocking(move || {
            let agent = agent_id(number);
            gateway
                .cli(["register-agent", "--host-id", &host, "--agent-id", &agent])
                .expect_success();
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    reader.verdict();

    let config = read_json(&agent.permissions);
    let exempt = config
        .pointer("/schemas/minds-api-proxy-per-agent-unauthorized/properties/path/not/anyOf")
        .unwrap()
        .to_string();
    for number in 0..EACH {
        let approved = format!("minds-file-server-read-/approved/{number}");
        assert!(
            schemas(&config).contains(&&approved),
            "{approved}: {config:#}"
        );
        let edited = format!("edited-{number}");
        assert!(
            rule_keys(&config).contains(&&edited),
            "{edited}: {config:#}"
        );
        assert!(exempt.contains(&agent_id(number)), "{number}: {exempt}");
    }
    assert_eq!(mode(&agent.permissions), 0o600);
    assert_eq!(gateway.admin().pending().await.len(), 0);
    agent.get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn approvals_aimed_at_a_handle_survive_its_linking() {
    const APPROVALS: usize = 8;
    let gateway = Arc::new(Gateway::start().await);
    for round in 0..6 {
        let created = gateway.cli(["create-agent-env"]).expect_success().json();
        let handle = created["opaque_permissions_path"].as_str().unwrap();
        let handle = PathBuf::from(handle);
        let host = format!("host-{round:032x}");
        let agent = gateway.bearer_of(&handle);
        let mut ids = Vec::new();
        for number in 0..APPROVALS {
            let asked = share(&format!("/approved/{number}"), "READ");
            let request = agent.post("/permission-requests", asked).await.expect(201);
            ids.push(request.id());
        }
        let reader = Reader::of(handle.clone());
        let mut writers = JoinSet::new();
        for (number, id) in ids.into_iter().enumerate() {
            let admin = gateway.admin();
            writers.spawn(async move {
                admin.approve(id).await.expect(200);
            });
            if number % 3 == 1 {
                let (gateway, host, handle) = (Arc::clone(&gateway), host.clone(), handle.clone());
                writers.spawn_blocking(move || {
                    let path = handle.to_str().unwrap();
                    gateway
                        .cli([
                            "link-permissions",
                            "--host-id",
                            &host,
                            "--opaque-path",
                            path,
                        ])
                        .expect_success();
                });
            }
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap();
        }
        reader.verdict();
        let target = fs::read_link(&handle).expect("the handle is a link by now");
        assert!(target.to_string_lossy().contains(&host), "{target:?}");
        let config = read_json(&target);
        for number in 0..APPROVALS {
            let approved = format!("minds-file-server-read-/approved/{number}");
            assert!(
                schemas(&config).contains(&&approved),
                "round {round}: {approved} is lost: {config:#}"
            );
        }
        assert_eq!(mode(&target), 0o600);
    }
}

#[tokio::test]
async fn one_request_approved_many_times_at_once_is_granted_once() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let asked = share("/approved", "READ");
    let request = agent.post("/permission-requests", asked).await.expect(201);
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let (admin, id) = (gateway.admin(), request.id());
        clients.spawn(async move { admin.approve(id).await });
    }
    let mut granted = 0;
    while let Some(answer) = clients.join_next().await {
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 404), "{answer}");
        granted += usize::from(answer.status == 200);
    }
    assert!(granted > 0);
    let config = read_json(&agent.permissions);
    let rules: Vec<_> = config["rules"].as_array().unwrap().iter().collect();
    let name = "minds-file-server-read-/approved";
    let granting = rules
        .iter()
        .filter_map(|rule| rule["latchkey-self"].as_array())
        .flatten()
        .filter(|permission| *permission == name);
    assert_eq!(granting.count(), 1, "{config:#}");
}

#[tokio::test]
async fn first_starts_at_once_agree_on_one_key() {
    let home = Arc::new(Home::new());
    let mut starts = JoinSet::new();
    for _ in 0..16 {
        let home = Arc::clone(&home);
        starts.spawn_blocking(move || home.cli(["create-agent-env"]).expect_success().json());
    }
    let mut passwords = HashSet::new();
    let mut handles = HashSet::new();
    while let Some(created) = starts.join_next().await {
        let created = created.unwrap();
        passwords.insert(created["env"]["LATCHKEY_GATEWAY_PASSWORD"].to_string());
        handles.insert(created["opaque_permissions_path"].to_string());
    }
    assert_eq!(passwords.len(), 1, "{passwords:?}");
    assert_eq!(handles.len(), 16, "{handles:?}");
    assert_eq!(
        mode(&home.latchkey_directory().join("encryption_key")),
        0o600
    );
}

//! Death by SIGKILL before and after every durable step: whatever was acknowledged is there, whatever is there is whole, and
//! doing it again finishes it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use end_to_end::{
    Agent, Caller, CrashPoint, Gateway, Home, Interposer, Outcome, Side, ask, eventually, mode,
    read_json,
};
use serde_json::{Value, json};

const SIGKILL: i32 = 9;
/// More than anything here takes: a loop that reaches it would never end.
const TOO_MANY: usize = 60;

/// A request that its gateway may not live to answer: the status, if it did.
async fn dare(
    gateway: &Gateway,
    caller: &Caller,
    method: &str,
    target: &str,
    body: &str,
) -> Option<u16> {
    let mut connection = gateway.raw().await;
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{body}",
        body.len(),
        caller.header_lines()
    );
    connection.try_send(request).await.ok()?;
    let answer = String::from_utf8(connection.until_closed().await).expect("answers are text");
    let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    status.parse().ok()
}

/// Does `act` in gateways that die at one step after the other, on both sides of it, until one lives to answer with
/// `status`. `check` sees what the next gateway makes of what was left.
///
/// Both get what `prepare` has made in the gateway that is about to die.
async fn at_every_step<T>(
    least_steps: usize,
    status: u16,
    mut prepare: impl AsyncFnMut(&Gateway, String) -> T,
    mut act: impl AsyncFnMut(&Gateway, &T) -> Option<u16>,
    mut check: impl AsyncFnMut(&Gateway, &T, CrashPoint),
) {
    let interposer = Interposer::build();
    let mut home = Home::new();
    for side in [Side::Before, Side::After] {
        for step in 1.. {
            assert!(step < TOO_MANY, "it has more than {TOO_MANY} steps");
            let point = CrashPoint { step, side };
            // Directories that the last round left would hide the steps that make them.
            let _ = fs::remove_dir_all(home.latchkey_directory().join("permission_requests"));
            let options = interposer
                .variables(point)
                .into_iter()
                .fold(Gateway::in_home(home), |options, (name, value)| {
                    options.environment(name, value)
                });
            let doomed = options.start().await;
            let prepared = prepare(&doomed, format!("{side:?}-{step}")).await;
            interposer.arm();
            let answered = act(&doomed, &prepared).await;
            let steps = interposer.steps();
            interposer.disarm();
            home = match answered {
                Some(got) => {
                    assert_eq!(got, status, "at {point:?}, after\n{steps}");
                    doomed.kill().await
                }
                None => {
                    let (died, home) = doomed.ended().await;
                    assert_eq!(died.signal(), Some(SIGKILL), "at {point:?}, after\n{steps}");
                    home
                }
            };
            assert_whole(&home);
            let gateway = Gateway::in_home(home).start().await;
            nothing_unfinished(&gateway).await;
            eprintln!("{point:?}, answered {answered:?}, after {steps:?}");
            check(&gateway, &prepared, point).await;
            home = gateway.kill().await;
            if answered.is_some() {
                assert!(step > least_steps, "it has only these steps:\n{steps}");
                break;
            }
        }
    }
}

const NONE: [PathBuf; 0] = [];

/// The sweep begins when the gateway serves.
async fn nothing_unfinished(gateway: &Gateway) {
    let directory = gateway.home().latchkey_directory();
    eventually("the temporary files are gone", async || {
        unfinished(&directory).is_empty()
    })
    .await;
}

/// Every JSON file can be read as such, as a reader of that moment would.
fn assert_whole(home: &Home) {
    for path in files(&home.latchkey_directory()) {
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            assert!(read_json(&path).is_object(), "{}", path.display());
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

/// Temporary files.
fn unfinished(directory: &Path) -> Vec<PathBuf> {
    let mut files = files(directory);
    files.retain(|path| path.to_string_lossy().ends_with(".tmp"));
    files
}

/// Every file below, but the engine's compile cache, whose files are its own.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_type().unwrap().is_dir() {
            found.push(path);
        } else if entry.file_name() != "compile_cache" && entry.file_name() != "extensions" {
            found.extend(files(&path));
        }
    }
    found
}

fn rule<'a>(config: &'a Value, key: &str) -> Option<&'a Value> {
    config["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|rule| rule.get(key))
}

async fn is_pending(gateway: &Gateway, id: &str) -> bool {
    let pending = gateway.admin().pending().await;
    pending.iter().any(|record| record["request_id"] == *id)
}

/// The permissions file decides, so the gateway has loaded it.
async fn assert_loads(gateway: &Gateway, agent: &Agent) {
    let content = read_json(&agent.permissions);
    let answer = gateway
        .bearer_of(&agent.handle)
        .get("/permissions/self")
        .await;
    assert_eq!(answer.expect(200).json()["rules"], content["rules"]);
}

#[tokio::test]
async fn an_approval_is_never_lost_nor_half_done() {
    at_every_step(
        5,
        200,
        async |gateway, name| {
            let agent = gateway.agent(&name).await;
            let request = agent
                .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
                .await
                .expect(201);
            (agent, request.id())
        },
        async |gateway, (_, id)| {
            let target = format!("/permission-requests/approve/{id}");
            dare(gateway, &gateway.admin(), "POST", &target, "").await
        },
        async |gateway, (agent, id), point| {
            assert_loads(gateway, agent).await;
            let granted = || {
                let config = read_json(&agent.permissions);
                rule(&config, "slack-api").cloned()
            };
            let before = fs::read(&agent.permissions).unwrap();
            let was_granted = granted().is_some();
            if is_pending(gateway, id).await {
                gateway.admin().approve(id).await.expect(200);
                if was_granted {
                    let after = fs::read(&agent.permissions).unwrap();
                    assert_eq!(
                        after, before,
                        "approving again changed something at {point:?}"
                    );
                }
            } else {
                assert!(was_granted, "the request is lost at {point:?}");
            }
            assert_eq!(granted(), Some(json!(["slack-read-all"])), "{point:?}");
            assert!(!is_pending(gateway, id).await, "{point:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_new_request_is_there_whole_or_not_at_all() {
    let asked = ask("slack-api", ["slack-read-all"]);
    at_every_step(
        8,
        201,
        async |gateway, name| gateway.agent(&name).await,
        async |gateway, agent| {
            dare(
                gateway,
                agent,
                "POST",
                "/permission-requests",
                &asked.to_string(),
            )
            .await
        },
        async |gateway, agent, point| {
            let pending = gateway.admin().pending().await;
            assert!(pending.len() <= 1, "{pending:?} at {point:?}");
            for record in pending {
                assert_eq!(record["payload"], asked["payload"], "{point:?}");
                let id = record["request_id"].as_str().unwrap();
                gateway.admin().approve(id).await.expect(200);
            }
            assert_loads(gateway, agent).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_denied_request_is_gone_or_still_pending() {
    at_every_step(
        2,
        204,
        async |gateway, name| {
            let agent = gateway.agent(&name).await;
            let request = agent
                .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
                .await
                .expect(201);
            (agent, request.id())
        },
        async |gateway, (_, id)| {
            let target = format!("/permission-requests/{id}");
            dare(gateway, &gateway.admin(), "DELETE", &target, "").await
        },
        async |gateway, (agent, id), point| {
            let target = format!("/permission-requests/{id}");
            let status = if is_pending(gateway, id).await {
                204
            } else {
                404
            };
            gateway.admin().delete(&target).await.expect(status);
            assert!(!is_pending(gateway, id).await, "{point:?}");
            assert_eq!(rule(&read_json(&agent.permissions), "slack-api"), None);
        },
    )
    .await;
}

#[tokio::test]
async fn an_edited_rule_is_the_old_one_or_the_new_one() {
    let target = |agent: &Agent| {
        let path = agent.permissions.to_str().unwrap();
        format!("/permissions/rules?path={path}&rule_key=slack-api")
    };
    let before = json!(["slack-read-all"]);
    let after = json!(["slack-write-all"]);
    at_every_step(
        3,
        200,
        async |gateway, name| {
            let agent = gateway.agent(&name).await;
            let admin = gateway.admin();
            admin
                .post(&target(&agent), before.clone())
                .await
                .expect(201);
            agent
        },
        async |gateway, agent| {
            let body = after.to_string();
            dare(gateway, &gateway.admin(), "POST", &target(agent), &body).await
        },
        async |gateway, agent, point| {
            assert_loads(gateway, agent).await;
            let config = read_json(&agent.permissions);
            let found = rule(&config, "slack-api");
            assert!(
                [Some(&before), Some(&after)].contains(&found),
                "{found:?} at {point:?}"
            );
            let admin = gateway.admin();
            admin.post(&target(agent), after.clone()).await.expect(200);
            assert_eq!(
                rule(&read_json(&agent.permissions), "slack-api"),
                Some(&after)
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_removed_rule_is_there_or_gone() {
    let target = |agent: &Agent| {
        let path = agent.permissions.to_str().unwrap();
        format!("/permissions/rules?path={path}&rule_key=slack-api")
    };
    at_every_step(
        3,
        204,
        async |gateway, name| {
            let agent = gateway.agent(&name).await;
            let rule = json!(["slack-read-all"]);
            gateway
                .admin()
                .post(&target(&agent), rule)
                .await
                .expect(201);
            agent
        },
        async |gateway, agent| dare(gateway, &gateway.admin(), "DELETE", &target(agent), "").await,
        async |gateway, agent, point| {
            assert_loads(gateway, agent).await;
            let is_there = rule(&read_json(&agent.permissions), "slack-api").is_some();
            let status = if is_there { 204 } else { 404 };
            gateway.admin().delete(&target(agent)).await.expect(status);
            let config = read_json(&agent.permissions);
            assert_eq!(rule(&config, "slack-api"), None, "{point:?}");
        },
    )
    .await;
}

/// The same for a command: `prepare` gives the rest of its arguments in a new home, `check` looks at what is left.
fn command_at_every_step(
    least_steps: usize,
    prepare: impl Fn(&Home) -> Vec<String>,
    check: impl Fn(&Home, &[String], CrashPoint),
) {
    let interposer = Interposer::build();
    interposer.arm();
    for side in [Side::Before, Side::After] {
        for step in 1.. {
            assert!(step < TOO_MANY, "it has more than {TOO_MANY} steps");
            let point = CrashPoint { step, side };
            let home = Home::new();
            let arguments = prepare(&home);
            let command = home
                .command(&arguments)
                .argument("--latchkey-directory")
                .argument(home.latchkey_directory());
            let outcome = interposer
                .variables(point)
                .into_iter()
                .fold(command, |command, (name, value)| {
                    command.environment(name, value)
                })
                .run();
            assert_whole(&home);
            let lived = outcome.status.success();
            assert!(
                lived || outcome.status.signal() == Some(SIGKILL),
                "{point:?}: {outcome}"
            );
            check(&home, &arguments, point);
            if lived {
                assert!(step > least_steps, "it has only {} steps", step - 1);
                break;
            }
        }
    }
}

const HOST: &str = "host-0123456789abcdef0123456789abcdef";

fn host_file(home: &Home) -> PathBuf {
    home.plugin_data()
        .join("hosts")
        .join(HOST)
        .join("latchkey_permissions.json")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn new_handle(home: &Home) -> String {
    let created = home.cli(["create-agent-env"]).expect_success().json();
    let path = &created["opaque_permissions_path"];
    path.as_str().unwrap().to_owned()
}

#[test]
fn a_handle_is_there_at_every_moment_of_its_linking() {
    command_at_every_step(
        // Two directories and their entries in the parents, the host's file, the link.
        9,
        |home| {
            let handle = new_handle(home);
            words(&[
                "link-permissions",
                "--host-id",
                HOST,
                "--opaque-path",
                &handle,
            ])
        },
        |home, arguments, point| {
            let handle = Path::new(arguments.last().unwrap());
            let baseline = read_json(handle);
            assert!(rule(&baseline, "latchkey-self").is_some(), "{point:?}");
            home.cli(arguments).expect_success();
            assert_eq!(fs::read_link(handle).unwrap(), host_file(home), "{point:?}");
            assert_eq!(read_json(&host_file(home)), baseline, "{point:?}");
        },
    );
}

#[test]
fn a_handle_is_there_at_every_moment_of_its_linking_to_an_old_host() {
    command_at_every_step(
        3,
        |home| {
            let handle = new_handle(home);
            register(home, '1').expect_success();
            words(&[
                "link-permissions",
                "--host-id",
                HOST,
                "--opaque-path",
                &handle,
            ])
        },
        |home, arguments, point| {
            let handle = Path::new(arguments.last().unwrap());
            let host = read_json(&host_file(home));
            assert_eq!(agents(home), 1, "{point:?}");
            assert!(read_json(handle).is_object(), "{point:?}");
            home.cli(arguments).expect_success();
            assert_eq!(read_json(handle), host, "{point:?}");
        },
    );
}

fn register(home: &Home, digit: char) -> Outcome {
    home.cli(registration(digit))
}

fn registration(digit: char) -> Vec<String> {
    let agent = format!("agent-{}", digit.to_string().repeat(32));
    words(&["register-agent", "--host-id", HOST, "--agent-id", &agent])
}

/// How many agents the host's file lets through.
fn agents(home: &Home) -> usize {
    let config = read_json(&host_file(home));
    let exempt =
        config.pointer("/schemas/minds-api-proxy-per-agent-unauthorized/properties/path/not/anyOf");
    exempt.unwrap().as_array().unwrap().len()
}

#[test]
fn an_agent_is_registered_or_not() {
    command_at_every_step(
        3,
        |home| {
            register(home, '1').expect_success();
            registration('2')
        },
        |home, arguments, point| {
            assert!((1..=2).contains(&agents(home)), "{point:?}");
            home.cli(arguments).expect_success();
            assert_eq!(agents(home), 2, "{point:?}");
        },
    );
}

#[test]
fn the_first_agent_of_a_host_is_registered_or_not() {
    command_at_every_step(
        7,
        |_| registration('1'),
        |home, arguments, point| {
            if host_file(home).exists() {
                assert_eq!(agents(home), 1, "{point:?}");
            }
            home.cli(arguments).expect_success();
            assert_eq!(agents(home), 1, "{point:?}");
        },
    );
}

#[test]
fn a_first_start_leaves_a_whole_key_or_none() {
    command_at_every_step(
        20,
        |_| words(&["create-agent-env"]),
        |home, arguments, point| {
            let path = home.latchkey_directory().join("encryption_key");
            let before = fs::read_to_string(&path).ok();
            if before.is_some() {
                assert_eq!(mode(&path), 0o600, "{point:?}");
            }
            let created = home.cli(arguments).expect_success().json();
            let handle = created["opaque_permissions_path"].as_str().unwrap();
            assert!(read_json(Path::new(handle)).is_object());
            let after = fs::read_to_string(&path).unwrap();
            assert_eq!(before.unwrap_or_else(|| after.clone()), after, "{point:?}");
        },
    );
}

#[tokio::test]
async fn a_gateway_removes_what_crashed_commands_left() {
    let interposer = Interposer::build();
    interposer.arm();
    let home = Home::new();
    for step in 1..=20 {
        let side = Side::Before;
        let command = home
            .command(["create-agent-env", "--latchkey-directory"])
            .argument(home.latchkey_directory());
        interposer
            .variables(CrashPoint { step, side })
            .into_iter()
            .fold(command, |command, (name, value)| {
                command.environment(name, value)
            })
            .run();
    }
    assert_ne!(unfinished(&home.latchkey_directory()), NONE);
    let gateway = Gateway::in_home(home).start().await;
    nothing_unfinished(&gateway).await;
}

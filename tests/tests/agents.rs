//! Wiring up agents: `create-agent-env`, `link-permissions`, `register-agent`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use end_to_end::{Home, Keys, mode, read_json};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";
const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";
/// Below it each agent has its part of the API.
const AGENTS: &str = "^/minds-api-proxy/api/v1/agents/[^/]+(/.*)?$";

/// The content of a fresh handle, as the contract words it.
fn baseline() -> Value {
    let domain = json!({"const": "latchkey-self.invalid"});
    json!({
        "rules": [
            {"minds-api-proxy-per-agent-unauthorized": []},
            {"latchkey-self": [
                "latchkey-self-create-permission-request", "latchkey-self-read-self-permissions",
                "latchkey-self-read-available-permissions", "minds-api-proxy-per-agent",
            ]},
        ],
        "schemas": {
            "minds-api-proxy-per-agent-unauthorized": {
                "properties": {"domain": domain, "path": {"type": "string", "pattern": AGENTS, "not": {"anyOf": []}}},
                "required": ["domain", "path"],
            },
            "minds-api-proxy-per-agent": {"properties": {"path": {"type": "string", "pattern": AGENTS}}, "required": ["path"]},
            "latchkey-self": {"properties": {"domain": domain}, "required": ["domain"]},
            "latchkey-self-create-permission-request": {
                "properties": {"method": {"const": "POST"}, "path": {"const": "/permission-requests"}},
                "required": ["method", "path"],
            },
            "latchkey-self-read-self-permissions": {
                "properties": {"method": {"const": "GET"}, "path": {"const": "/permissions/self"}},
                "required": ["method", "path"],
            },
            "latchkey-self-read-available-permissions": {
                "properties": {"method": {"const": "GET"}, "path": {"type": "string", "pattern": "^/permissions/available/[a-z0-9][a-z0-9-]*$"}},
                "required": ["method", "path"],
            },
        },
    })
}

/// The baseline with these agents registered.
fn registered(agents: &[&str]) -> Value {
    let mut permissions = baseline();
    let patterns = agents
        .iter()
        .map(|agent| json!({"pattern": format!("^/minds-api-proxy/api/v1/agents/{agent}/(.*)$")}));
    permissions["schemas"]["minds-api-proxy-per-agent-unauthorized"]["properties"]["path"]["not"]
        ["anyOf"] = patterns.collect();
    permissions
}

fn handle(home: &Home) -> PathBuf {
    let created = home.cli(["create-agent-env"]).expect_success().json();
    created["opaque_permissions_path"].as_str().unwrap().into()
}

fn host_file(home: &Home) -> PathBuf {
    home.plugin_data()
        .join("hosts")
        .join(HOST)
        .join("latchkey_permissions.json")
}

fn link(home: &Home, handle: &Path) -> end_to_end::Outcome {
    home.cli([
        "link-permissions",
        "--host-id",
        HOST,
        "--opaque-path",
        handle.to_str().unwrap(),
    ])
}

fn register(home: &Home, agent: &str) -> end_to_end::Outcome {
    home.cli(["register-agent", "--host-id", HOST, "--agent-id", agent])
}

#[test]
fn the_environment_of_an_agent_is_one_json_line() {
    let home = Home::new();
    let created = home.cli(["create-agent-env"]).expect_success();
    assert_eq!(created.stderr, "");
    let created = created.json();
    let path = created["opaque_permissions_path"].as_str().unwrap();
    let keys = Keys::of(&home.latchkey_directory());
    let expected = json!({
        "env": {
            "LATCHKEY_GATEWAY": "http://127.0.0.1:1989",
            "LATCHKEY_GATEWAY_SECONDARY": "http://127.0.0.1:1990",
            "LATCHKEY_GATEWAY_PASSWORD": keys.password(),
            "LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE": keys.override_token(Path::new(path)),
            "LATCHKEY_DISABLE_COUNTING": "1",
        },
        "opaque_permissions_path": path,
    });
    assert_eq!(created, expected);
    let path = Path::new(path);
    assert_eq!(
        path.parent().unwrap(),
        home.plugin_data().join("permissions")
    );
    let name = path
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .strip_suffix(".json")
        .unwrap();
    assert!(
        name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{name}"
    );
    assert_eq!(mode(path), 0o600);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(
        text.trim_end(),
        serde_json::to_string_pretty(&baseline()).unwrap()
    );
    assert_ne!(handle(&home), path, "each agent has a handle of its own");
}

#[test]
fn the_first_handle_becomes_the_hosts_file_and_later_ones_follow_it() {
    let home = Home::new();
    let (first, second) = (handle(&home), handle(&home));
    let outcome = link(&home, &first).expect_success();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let host = host_file(&home);
    assert_eq!(fs::read_link(&first).unwrap(), host);
    assert_eq!(
        (read_json(&host), mode(&host), mode(host.parent().unwrap())),
        (baseline(), 0o600, 0o700)
    );
    fs::write(&host, r#"{"rules": []}"#).unwrap();
    link(&home, &second).expect_success();
    assert_eq!(fs::read_link(&second).unwrap(), host);
    assert_eq!(
        fs::read_to_string(&host).unwrap(),
        r#"{"rules": []}"#,
        "the host's file is kept"
    );
    // Idempotent.
    link(&home, &first).expect_success();
    link(&home, &second).expect_success();
    assert_eq!(
        (
            fs::read_link(&first).unwrap(),
            fs::read_to_string(&host).unwrap()
        ),
        (host, r#"{"rules": []}"#.to_owned())
    );
}

#[test]
fn a_handle_is_a_file_among_the_handles() {
    let home = Home::new();
    let good = handle(&home);
    let handles = good.parent().unwrap();
    let missing = handles.join("missing.json");
    link(&home, &missing).expect_usage_error(&format!(
        "Error: --opaque-path does not exist: {}",
        missing.display()
    ));
    let directory = handles.join("directory");
    fs::create_dir(&directory).unwrap();
    let dangling = handles.join("dangling.json");
    symlink(handles.join("nothing"), &dangling).unwrap();
    let elsewhere = home.write("elsewhere.json", "{}", 0o600);
    for path in [
        handles,
        directory.as_path(),
        &dangling,
        &elsewhere,
        &home.admin_permissions(),
        &handles.join("../latchkey_admin_permissions.json"),
    ] {
        let outcome = link(&home, path).expect_code(2);
        assert!(
            outcome.stderr.starts_with("Error: --opaque-path ") && outcome.stdout.is_empty(),
            "{outcome}"
        );
    }
    assert!(
        good.is_file()
            && elsewhere.is_file()
            && home.admin_permissions().is_file()
            && !host_file(&home).exists()
    );
}

#[test]
fn registering_lets_an_agent_through_once() {
    let home = Home::new();
    let other = "agent-ffffffffffffffffffffffffffffffff";
    let outcome = register(&home, AGENT).expect_success();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let host = host_file(&home);
    assert_eq!(
        (read_json(&host), mode(&host)),
        (registered(&[AGENT]), 0o600)
    );
    register(&home, AGENT).expect_success();
    assert_eq!(read_json(&host), registered(&[AGENT]));
    register(&home, other).expect_success();
    let text = fs::read_to_string(&host).unwrap();
    assert_eq!(
        text.trim_end(),
        serde_json::to_string_pretty(&registered(&[AGENT, other])).unwrap()
    );
}

#[test]
fn registering_keeps_everything_else() {
    let home = Home::new();
    let mut content = registered(&[]);
    content["include"] = json!(["more.json"]);
    content["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"slack-api": {"schemas": ["any"], "hooks": ["true"]}}));
    let host = home.permissions_file(&format!("hosts/{HOST}/latchkey_permissions.json"), &content);
    register(&home, AGENT).expect_success();
    let mut expected = registered(&[AGENT]);
    expected["include"] = content["include"].clone();
    expected["rules"] = content["rules"].clone();
    assert_eq!(read_json(&host), expected);
}

#[test]
fn a_file_of_another_shape_is_not_touched() {
    let home = Home::new();
    let mut foreign_entry = registered(&[]);
    foreign_entry["schemas"]["minds-api-proxy-per-agent-unauthorized"]["properties"]["path"]["not"]
        ["anyOf"] = json!([{"const": "/x"}]);
    for content in [
        foreign_entry.to_string(),
        r#"{"rules": []}"#.to_owned(),
        "[]".to_owned(),
        "no JSON".to_owned(),
    ] {
        let host = home.write(
            &format!("latchkey/mngr_latchkey/hosts/{HOST}/latchkey_permissions.json"),
            &content,
            0o600,
        );
        let outcome = register(&home, AGENT).expect_code(1);
        assert!(
            outcome.stderr.starts_with("Error: ")
                && outcome.stderr.contains(host.to_str().unwrap()),
            "{outcome}"
        );
        assert_eq!(fs::read_to_string(host).unwrap(), content);
    }
}

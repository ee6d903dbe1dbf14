//! The command line: results, messages, exit codes, and being called `mngr`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use end_to_end::{Cli, Home, Keys, mode, read_json};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";
const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";
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
fn every_directory_and_file_is_private_and_what_is_there_stays() {
    let home = Home::new();
    home.cli(["admin-jwt"]).expect_success();
    for directory in [home.latchkey_directory(), home.plugin_data()] {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    assert_eq!(read_json(&home.default_permissions()), json!({"rules": []}));
    assert_eq!(
        read_json(&home.admin_permissions()),
        json!({"rules": [{"any": ["any"]}]})
    );
    for file in [home.default_permissions(), home.admin_permissions()] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        fs::write(file, "mine").unwrap();
    }
    home.cli(["create-agent-env"]).expect_success();
    for file in [home.default_permissions(), home.admin_permissions()] {
        assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    }
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
    let outcome = link(&home, &missing);
    assert!(matches!(outcome.status.code(), Some(1 | 2)), "{outcome}");
    assert_eq!(
        outcome.stderr,
        format!(
            "Error: --opaque-path does not exist: {}\n",
            missing.display()
        )
    );
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
        let outcome = link(&home, path);
        assert!(matches!(outcome.status.code(), Some(1 | 2)), "{outcome}");
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

#[test]
fn wrong_ids_are_named_in_the_words_that_scripts_match() {
    let home = Home::new();
    let host = |id: &str| home.cli(["register-agent", "--host-id", id, "--agent-id", AGENT]);
    let agent = |id: &str| home.cli(["register-agent", "--host-id", HOST, "--agent-id", id]);
    host("x").expect_usage_error(
        "Error: --host-id is not a valid host ID: HostId must start with 'host-', got 'x'",
    );
    host("host-0").expect_usage_error("Error: --host-id is not a valid host ID: HostId hex part must be exactly 32 characters, got 1");
    let outcome = host(&format!("host-{}g", &HOST[6..])).expect_code(2);
    assert!(outcome.stderr.starts_with("Error: --host-id is not a valid host ID: HostId hex part must contain only hexadecimal characters (0-9, a-f)"), "{outcome}");
    agent("x").expect_usage_error(
        "Error: --agent-id is not a valid agent ID: AgentId must start with 'agent-', got 'x'",
    );
    agent("agent-").expect_usage_error("Error: --agent-id is not a valid agent ID: AgentId hex part must be exactly 32 characters, got 0");
    agent(HOST).expect_code(2);
    let path = handle(&home);
    let link = home.cli([
        "link-permissions",
        "--host-id",
        "x",
        "--opaque-path",
        path.to_str().unwrap(),
    ]);
    link.expect_usage_error(
        "Error: --host-id is not a valid host ID: HostId must start with 'host-', got 'x'",
    );
    host(&format!("host-{}", HOST[5..].to_uppercase())).expect_success();
}

#[test]
fn wrong_invocations_exit_with_2() {
    let home = Home::new();
    home.cli(["link-permissions"])
        .expect_usage_error("Error: Missing option '--host-id'.");
    home.cli(["link-permissions", "--host-id", "x"])
        .expect_usage_error("Error: Missing option '--opaque-path'.");
    home.cli(["register-agent", "--host-id", "x"])
        .expect_usage_error("Error: Missing option '--agent-id'.");
    for arguments in [
        &["nope"][..],
        &["admin-jwt", "--nope"],
        &["admin-jwt", "extra"],
        &["admin-jwt", "--format", "{x}"],
        &["gateway", "--listen-port", "x"],
        &["admin-jwt", "-S", "x"],
        &["gateway", "create-jwt"],
    ] {
        let outcome = home.cli(arguments).expect_code(2);
        assert!(
            outcome.stdout.is_empty() && outcome.stderr.starts_with("Error: "),
            "{outcome}"
        );
    }
    let outcome = home.command([""; 0]).run().expect_code(2);
    assert!(
        outcome.stdout.is_empty() && outcome.stderr.contains("create-agent-env"),
        "{outcome}"
    );
    assert!(!home.latchkey_directory().exists(), "nothing was created");
}

#[test]
fn mngrs_common_options_are_accepted() {
    let home = Home::new();
    let log = home.path().join("log");
    let options = [
        "--format",
        "json",
        "-q",
        "-v",
        "--log-file",
        log.to_str().unwrap(),
        "--log-commands",
        "--no-log-commands",
        "--headless",
        "--safe",
        "--plugin",
        "a",
        "--enable-plugin",
        "b",
        "--disable-plugin",
        "c",
        "--setting",
        "x.y=1",
    ];
    let after = home
        .cli(["admin-jwt"].into_iter().chain(options))
        .expect_success();
    let before = home
        .cli(options.into_iter().chain(["admin-jwt"]))
        .expect_success();
    assert_eq!(after.line(), before.line());
}

#[test]
fn a_token_needs_its_file_unless_told_otherwise() {
    let home = Home::new();
    let missing = home.path().join("missing.json");
    let missing = missing.to_str().unwrap();
    let outcome = home.cli(["gateway", "create-jwt", missing]).expect_code(1);
    assert!(outcome.stderr.contains(missing), "{outcome}");
    home.cli(["gateway", "create-jwt", "--no-validate", missing])
        .expect_success();
    for (path, claims) in [
        ("relative.json", "{}"),
        ("/a", "[]"),
        ("/a", "{"),
        ("/a", r#"{"permissionsConfig": "/b"}"#),
    ] {
        let outcome = home
            .cli(["gateway", "create-jwt", "--no-validate", path, claims])
            .expect_code(1);
        assert!(
            outcome.stdout.is_empty() && outcome.stderr.lines().count() == 1,
            "{outcome}"
        );
    }
}

/// A process whose command line looks like a supervisor's; it ends when dropped.
struct Supervisor(Child);

impl Supervisor {
    fn start() -> Self {
        let child = Command::new("sh")
            .arg0("mngr")
            .args(["-c", "read _", "latchkey", "forward"])
            .stdin(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_gateways_address_is_known_while_a_supervisor_runs() {
    let home = Home::new();
    let not_running =
        "Error: No ``mngr latchkey forward`` supervisor is running for this latchkey directory;";
    let fails = |what: &str| {
        let outcome = home.cli(["gateway-info"]).expect_code(1);
        assert!(
            outcome.stderr.starts_with(not_running) && outcome.stdout.is_empty(),
            "{what}: {outcome}"
        );
    };
    fails("no record");
    let record = |pid: u32, port: Value| {
        let record =
            json!({"pid": pid, "started_at": "2026-01-01T00:00:00+00:00", "gateway_port": port});
        home.permissions_file("latchkey_forward.json", &record);
    };
    record(std::process::id(), json!(1));
    fails("somebody else's process");
    let supervisor = Supervisor::start();
    record(supervisor.0.id(), Value::Null);
    home.cli(["gateway-info"]).expect_failure("Error: The supervisor is running but has not finished binding its gateway port yet; retry in a moment.");
    record(supervisor.0.id(), json!(4321));
    let password = Keys::of(&home.latchkey_directory()).password();
    let outcome = home.cli(["gateway-info"]).expect_success();
    assert_eq!(
        outcome.json(),
        json!({"url": "http://127.0.0.1:4321", "password": password})
    );
    drop(supervisor);
    fails("a process that has ended");
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = home.command(["completions", shell]).run().expect_success();
        assert!(
            outcome.stdout.contains("create-agent-env") && outcome.stderr.is_empty(),
            "{outcome}"
        );
    }
    home.command(["completions", "nope"]).run().expect_code(2);
    for page in [
        &["man"][..],
        &["man", "gateway"],
        &["man", "gateway", "create-jwt"],
    ] {
        let outcome = home.command(page).run().expect_success();
        assert!(outcome.stdout.contains(".TH"), "{outcome}");
    }
    home.command(["man", "nope"]).run().expect_code(2);
    for arguments in [
        &["--help"][..],
        &["help"],
        &["gateway", "--help"],
        &["register-agent", "-h"],
    ] {
        let outcome = home.command(arguments).run().expect_success();
        assert!(
            outcome.stdout.contains("--latchkey-directory") && outcome.stderr.is_empty(),
            "{outcome}"
        );
    }
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "asking for help creates nothing"
    );
}

/// The program as it is started by everybody else.
fn program() -> PathBuf {
    std::env::var_os("TEST_BINARY").map_or_else(
        || {
            std::env::current_exe()
                .unwrap()
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join("mngr-latchkey")
        },
        PathBuf::from,
    )
}

/// A directory for PATH with a link to the program in it, called `mngr`.
fn called_mngr(home: &Home, directory: &str) -> PathBuf {
    let directory = home.path().join(directory);
    fs::create_dir_all(&directory).unwrap();
    symlink(program(), directory.join("mngr")).unwrap();
    directory
}

#[test]
fn under_the_name_mngr_it_is_a_plugin() {
    let home = Home::new();
    let ours = called_mngr(&home, "ours");
    let directory = home.latchkey_directory();
    let direct = home.cli(["admin-jwt"]).expect_success();
    let plugin = Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "admin-jwt", "--latchkey-directory"])
        .argument(&directory);
    assert_eq!(plugin.run().expect_success().line(), direct.line());
    let help = Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "--help"])
        .run()
        .expect_success();
    assert!(help.stdout.contains("mngr latchkey"), "{help}");
    Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "nope"])
        .run()
        .expect_code(2);
}

#[test]
fn under_the_name_mngr_everything_else_goes_to_the_next_mngr_on_path() {
    let home = Home::new();
    let ours = called_mngr(&home, "ours");
    let again = called_mngr(&home, "again");
    let script = "#!/bin/sh\nprintf '%s|' \"$0\" \"$@\"\nexit 42\n";
    let real = home.write("real/mngr", script, 0o755);
    home.write("not-executable/mngr", script, 0o644);
    let path = std::env::join_paths([
        &ours,
        &home.path().join("not-executable"),
        &again,
        real.parent().unwrap(),
        Path::new("/usr/bin"),
        Path::new("/bin"),
    ])
    .unwrap();
    for arguments in [
        &["list", "--all", "a b"][..],
        &[],
        &["--help"],
        &["latchkeys"],
    ] {
        let outcome = Cli::program(ours.join("mngr"), home.path())
            .arguments(arguments)
            .environment("PATH", &path)
            .run()
            .expect_code(42);
        let expected: String = std::iter::once(real.to_str().unwrap())
            .chain(arguments.iter().copied())
            .map(|word| format!("{word}|"))
            .collect();
        assert_eq!(outcome.stdout, expected);
    }
    let alone = std::env::join_paths([&ours, &again]).unwrap();
    let outcome = Cli::program(ours.join("mngr"), home.path())
        .argument("list")
        .environment("PATH", alone)
        .run()
        .expect_code(1);
    assert!(
        outcome.stderr.starts_with("Error: ") && outcome.stderr.contains("mngr"),
        "{outcome}"
    );
}

//! The command line in general: invocations, messages, exit codes, help.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use end_to_end::{Home, Keys, mode, read_json};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";
const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";

fn handle(home: &Home) -> PathBuf {
    let created = home.cli(["create-agent-env"]).expect_success().json();
    created["opaque_permissions_path"].as_str().unwrap().into()
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

#[test]
fn what_is_wrong_with_the_directory_is_reported_before_a_bad_id() {
    let home = Home::new();
    home.write("latchkey", "a file", 0o600);
    let outcome = home
        .cli(["register-agent", "--host-id", "x", "--agent-id", "y"])
        .expect_code(1);
    assert!(
        outcome.stderr.starts_with("Error: ") && outcome.stderr.contains("latchkey"),
        "{outcome}"
    );
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
}

#[test]
fn variables_that_the_gateway_cannot_use_are_named() {
    let home = Home::new();
    for (name, value) in [
        ("LATCHKEY_GATEWAY_LISTEN_PORT", "http"),
        ("LATCHKEY_GATEWAY_LISTEN_PORT", "65536"),
        ("LATCHKEY_DIRECTORY", "relative"),
        ("LATCHKEY_PERMISSIONS_CONFIG", "relative.json"),
        ("LATCHKEY_EXTENSION_PERMISSIONS_ROOT", "relative"),
    ] {
        let outcome = home
            .command(["gateway"])
            .environment(name, value)
            .run()
            .expect_code(1);
        assert!(
            outcome.stderr.contains(name) && outcome.stderr.contains(value),
            "{outcome}"
        );
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

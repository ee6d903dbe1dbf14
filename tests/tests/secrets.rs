//! Keys, tokens and the password: the same bytes as everybody else's, checked against OpenSSL; and never where they should
//! not be.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::{Gateway, Home, ask, mode};

/// 0xfb 0xff ... in URL-safe base64: its standard form looks different.
const KEY: &str = "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8=";

/// What a shell with OpenSSL prints, with these values for `$1`, `$2`.
#[track_caller]
fn openssl(script: &str, values: &[&str]) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script, "bash"])
        .args(values)
        .output()
        .expect("bash runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const TOKEN: &str = r#"
    master=$(printf %s "$1" | tr -- -_ +/ | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    hmac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary; }
    base64url() { openssl base64 -A | tr +/ -_ | tr -d =; }
    signing=$(printf %s latchkey:gateway:permissions-override:v1 | hmac "$master" | od -An -v -tx1 | tr -d ' \n')
    signed=$(printf %s '{"alg":"HS256","typ":"JWT"}' | base64url).$(printf %s "$2" | base64url)
    printf %s "$signed.$(printf %s "$signed" | hmac "$signing" | base64url)"
"#;

#[track_caller]
fn token(key: &str, payload: &str) -> String {
    openssl(TOKEN, &[key, payload])
}

#[test]
fn a_token_has_exactly_the_bytes_that_openssl_computes() {
    let home = Home::new();
    home.write("latchkey/encryption_key", KEY, 0o600);
    for path in [
        "/a/b.json",
        "/with space/é \"quoted\".json",
        "/tab\there.json",
    ] {
        let outcome = home
            .cli(["gateway", "create-jwt", "--no-validate", path])
            .expect_success();
        let payload = format!(
            r#"{{"permissionsConfig":{}}}"#,
            serde_json::Value::from(path)
        );
        assert_eq!(outcome.line(), token(KEY, &payload), "{path}");
    }
    let outcome = home
        .cli([
            "gateway",
            "create-jwt",
            "--no-validate",
            "/a.json",
            r#"{"b": 1, "a": [true]}"#,
        ])
        .expect_success();
    assert_eq!(
        outcome.line(),
        token(KEY, r#"{"b":1,"a":[true],"permissionsConfig":"/a.json"}"#)
    );
    let admin = format!(
        r#"{{"permissionsConfig":"{}"}}"#,
        home.admin_permissions().display()
    );
    assert_eq!(
        home.cli(["admin-jwt"]).expect_success().line(),
        token(KEY, &admin)
    );
}

#[test]
fn the_password_is_the_digest_that_openssl_computes() {
    let home = Home::new();
    home.write("latchkey/encryption_key", KEY, 0o600);
    let sentinel = token(
        KEY,
        r#"{"permissionsConfig":"/__minds_gateway_password__/sentinel"}"#,
    );
    let digest = openssl(
        r#"printf %s "$1" | openssl dgst -sha256 -r | cut -d' ' -f1"#,
        &[&sentinel],
    );
    let created = home.cli(["create-agent-env"]).expect_success().json();
    assert_eq!(created["env"]["LATCHKEY_GATEWAY_PASSWORD"], digest);
    let handle = created["opaque_permissions_path"].as_str().unwrap();
    let payload = format!(r#"{{"permissionsConfig":"{handle}"}}"#);
    assert_eq!(
        created["env"]["LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"],
        token(KEY, &payload)
    );
}

#[test]
fn every_spelling_of_a_key_is_the_same_key() {
    let home = Home::new();
    let expected = token(KEY, r#"{"permissionsConfig":"/a"}"#);
    let standard = KEY.replace('-', "+").replace('_', "/");
    for text in [
        KEY.to_owned(),
        KEY.trim_end_matches('=').to_owned(),
        standard.clone(),
        standard.trim_end_matches('=').to_owned(),
        format!("{KEY}\n"),
    ] {
        home.write("latchkey/encryption_key", &text, 0o600);
        let outcome = home
            .cli(["gateway", "create-jwt", "--no-validate", "/a"])
            .expect_success();
        assert_eq!(outcome.line(), expected, "{text:?}");
    }
}

#[test]
fn the_key_of_the_environment_wins_and_then_there_is_no_file() {
    let home = Home::new();
    let run = |arguments: &[&str]| {
        let command = home
            .command(arguments)
            .argument("--latchkey-directory")
            .argument(home.latchkey_directory());
        command.environment("LATCHKEY_ENCRYPTION_KEY", KEY).run()
    };
    let outcome = run(&["gateway", "create-jwt", "--no-validate", "/a"]).expect_success();
    assert_eq!(outcome.line(), token(KEY, r#"{"permissionsConfig":"/a"}"#));
    let file = home.latchkey_directory().join("encryption_key");
    assert!(!file.exists());
    // Not even looked at.
    home.write("latchkey/encryption_key", "rubbish", 0o644);
    run(&["admin-jwt"]).expect_success();
}

#[test]
fn a_new_key_is_32_random_bytes_in_a_private_file() {
    let home = Home::new();
    home.cli(["admin-jwt"]).expect_success();
    let path = home.latchkey_directory().join("encryption_key");
    let key = fs::read_to_string(&path).unwrap();
    assert_eq!(
        (mode(&path), key.trim().trim_end_matches('=').len()),
        (0o600, 43)
    );
    home.cli(["admin-jwt"]).expect_success();
    assert_eq!(fs::read_to_string(&path).unwrap(), key, "the key stays");
    let other = Home::new();
    other.cli(["admin-jwt"]).expect_success();
    assert_ne!(
        fs::read_to_string(other.latchkey_directory().join("encryption_key")).unwrap(),
        key
    );
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let home = Home::new();
    for bits in [0o640, 0o604, 0o660, 0o601] {
        let path = home.write("latchkey/encryption_key", KEY, bits);
        let outcome = home.cli(["admin-jwt"]).expect_code(1);
        assert!(outcome.stderr.contains(&format!("{bits:o}")), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains(&format!("chmod 600 {}", path.display())),
            "{outcome}"
        );
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.lines().count()),
            ("", 1),
            "{outcome}"
        );
        // Before a bad id.
        let outcome = home
            .cli(["link-permissions", "--host-id", "x", "--opaque-path", "y"])
            .expect_code(1);
        assert!(outcome.stderr.contains("chmod 600"), "{outcome}");
    }
}

#[test]
fn a_broken_key_is_refused_without_being_shown() {
    let home = Home::new();
    for text in ["", "not-a-key!", "c2hvcnQ"] {
        let path = home.write("latchkey/encryption_key", text, 0o600);
        let outcome = home.cli(["admin-jwt"]).expect_code(1);
        assert!(outcome.stderr.contains(path.to_str().unwrap()), "{outcome}");
        assert!(
            text.is_empty() || !outcome.stderr.contains(text),
            "{outcome}"
        );
    }
}

#[test]
fn concurrent_first_starts_agree_on_one_key() {
    let home = Home::new();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| home.cli(["admin-jwt"]).expect_success().line().to_owned()))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| token == &tokens[0]), "{tokens:?}");
    let left: Vec<_> = fs::read_dir(home.latchkey_directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| ["encryption_key", "mngr_latchkey", "extensions"]
                .iter()
                .any(|known| name == known)),
        "{left:?}"
    );
}

#[tokio::test]
async fn no_secret_is_logged_or_stored() {
    let gateway = Gateway::in_home(Home::new()).argument("-vv").start().await;
    let agent = gateway.agent("a").await;
    agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    agent
        .post("/permission-requests", ask("nope", []))
        .await
        .expect(400);
    let (password, key) = (
        gateway.keys().password(),
        fs::read_to_string(gateway.home().latchkey_directory().join("encryption_key")).unwrap(),
    );
    let token = gateway.keys().override_token(&agent.handle);
    gateway
        .with_token(&format!("{token}x"))
        .get("/permissions/self")
        .await
        .expect(401);
    gateway.guest().get("/permissions/self").await.expect(403);
    let log = gateway.process().stderr();
    for secret in [
        &password,
        key.trim(),
        token.as_str(),
        token.rsplit('.').next().unwrap(),
    ] {
        assert!(!log.contains(secret), "a secret is in the log:\n{log}");
    }
    assert!(log.contains("answered"), "the log is on:\n{log}");
    let stored = |directory: &Path| {
        let mut directories = vec![directory.to_owned()];
        let mut found = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => directories.push(entry.path()),
                    kind if kind.is_file() => {
                        let content = fs::read(entry.path()).unwrap();
                        if content
                            .windows(password.len())
                            .any(|window| window == password.as_bytes())
                        {
                            found.push(entry.path());
                        }
                    }
                    _ => {}
                }
            }
        }
        found
    };
    assert_eq!(
        stored(gateway.home().path()),
        Vec::<std::path::PathBuf>::new()
    );
}

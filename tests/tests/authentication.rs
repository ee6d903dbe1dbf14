//! Who is let in, and which permissions file applies to whom: password, health, override tokens.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use end_to_end::{Gateway, Home};
use serde_json::json;

const PASSWORD: &str = "X-Latchkey-Gateway-Password";
const OVERRIDE: &str = "X-Latchkey-Gateway-Permissions-Override";
const UNAUTHORIZED: &str = "Unauthorized: invalid or missing Latchkey gateway password.";

/// A gateway whose default permissions file allows nothing, and what one that allows everything is called.
async fn gateway() -> (Gateway, std::path::PathBuf) {
    let gateway = Gateway::start().await;
    let admin = gateway.home().admin_permissions();
    (gateway, admin)
}

#[tokio::test]
async fn without_the_right_password_everything_is_unauthorized() {
    let (gateway, _) = gateway().await;
    let password = gateway.keys().password();
    let wrong = [
        "",
        "x",
        &password.to_uppercase(),
        &password[1..],
        &format!("{password}0"),
        &format!("{password}, {password}"),
    ]
    .map(|password| gateway.stranger().with_header(PASSWORD, password));
    for caller in wrong.into_iter().chain([gateway.stranger()]) {
        for target in [
            "/",
            "/latchkey",
            "/gateway/https://example.com/",
            "/permissions/self",
            "/nowhere",
        ] {
            let answer = caller.get(target).await.expect_error(401, UNAUTHORIZED);
            assert_eq!(answer.text(), format!(r#"{{"error":"{UNAUTHORIZED}"}}"#));
            assert_eq!(answer.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn the_password_comes_before_the_token() {
    let (gateway, admin) = gateway().await;
    let token = gateway.keys().override_token(&admin);
    for token in [token.as_str(), "rubbish"] {
        let caller = gateway.stranger().with_header(OVERRIDE, token);
        caller
            .get("/permissions/self")
            .await
            .expect_error(401, UNAUTHORIZED);
    }
}

#[tokio::test]
async fn header_names_have_no_case() {
    let (gateway, admin) = gateway().await;
    let caller = gateway
        .stranger()
        .with_header("x-latchkey-GATEWAY-password", &gateway.keys().password())
        .with_header(
            "X-LATCHKEY-gateway-permissions-override",
            &gateway.keys().override_token(&admin),
        );
    caller.get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn health_needs_the_password_and_no_permission() {
    let (gateway, _) = gateway().await;
    let answer = gateway.guest().get("/").await.expect(200);
    let version = gateway.home().command(["--version"]).run().expect_success();
    let version = version.line().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(
        answer.text(),
        format!(r#"{{"status":"ok","version":"{version}"}}"#)
    );
    assert_eq!(answer.header("content-type"), "application/json");
    // A token is not looked at.
    gateway.with_token("rubbish").get("/").await.expect(200);
    // Only GET is health.
    gateway
        .guest()
        .request("POST", "/")
        .send()
        .await
        .expect(403);
    gateway
        .admin()
        .request("POST", "/")
        .send()
        .await
        .expect(404);
}

#[tokio::test]
async fn a_gateway_by_environment_asks_for_the_password_that_it_is_given() {
    let options = Gateway::in_home(Home::new()).by_environment();
    let gateway = options
        .environment("LATCHKEY_GATEWAY_LISTEN_PASSWORD", "correct horse")
        .start()
        .await;
    gateway
        .stranger()
        .get("/")
        .await
        .expect_error(401, UNAUTHORIZED);
    gateway
        .stranger()
        .with_header(PASSWORD, &gateway.keys().password())
        .get("/")
        .await
        .expect(401);
    gateway
        .stranger()
        .with_header(PASSWORD, "correct horse")
        .get("/")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_gateway_by_environment_without_a_password_asks_for_none() {
    let gateway = Gateway::in_home(Home::new()).by_environment().start().await;
    gateway.stranger().get("/").await.expect(200);
    gateway
        .stranger()
        .with_header(PASSWORD, "whatever")
        .get("/")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_token_that_the_command_line_made_is_accepted() {
    let (gateway, admin) = gateway().await;
    let token = gateway
        .cli(["gateway", "create-jwt", admin.to_str().unwrap()])
        .expect_success();
    gateway
        .with_token(token.line())
        .get("/permissions/self")
        .await
        .expect(200);
    let token = gateway.cli(["admin-jwt"]).expect_success();
    gateway
        .with_token(token.line())
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn every_way_in_which_a_token_is_wrong_has_its_reason() {
    let (gateway, admin) = gateway().await;
    let keys = gateway.keys();
    let good = keys.override_token(&admin);
    let [header, payload, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let payload_text = json!({"permissionsConfig": admin}).to_string();
    let with_header = |header: &str| keys.token_with_header(header, &payload_text);
    let forged = with_header(r#"{"alg":"HS256","typ":"JWT"}"#)
        .replace(signature, &"A".repeat(signature.len()));
    // "not JSON" and "1" in base64url.
    let no_json = "bm90IEpTT04";
    let algorithm = "Permissions override header must declare alg='HS256' and typ='JWT'.";
    let missing = "Permissions override payload must contain a string 'permissionsConfig' field.";
    let cases = [
        (
            String::new(),
            "Permissions override JWT must have three dot-separated segments.",
        ),
        (
            "rubbish".to_owned(),
            "Permissions override JWT must have three dot-separated segments.",
        ),
        (
            format!("{header}.{payload}"),
            "Permissions override JWT must have three dot-separated segments.",
        ),
        (
            format!("{good}.x"),
            "Permissions override JWT must have three dot-separated segments.",
        ),
        (
            keys.sign(&format!("{no_json}.{payload}")),
            "Permissions override header is not valid JSON.",
        ),
        (with_header(r#"{"typ":"JWT"}"#), algorithm),
        (with_header(r#"{"alg":"HS256"}"#), algorithm),
        (with_header(r#"{"alg":"none","typ":"JWT"}"#), algorithm),
        (with_header(r#"{"alg":"HS384","typ":"JWT"}"#), algorithm),
        (with_header(r#"{"alg":"HS256","typ":"jwt"}"#), algorithm),
        (with_header("[]"), algorithm),
        (forged, "Permissions override signature is invalid."),
        (
            format!("{header}.{payload}."),
            "Permissions override signature is invalid.",
        ),
        (
            keys.sign(&format!("{header}.{no_json}")),
            "Permissions override payload is not valid JSON.",
        ),
        (keys.token("{}"), missing),
        (keys.token("[]"), missing),
        (keys.token(r#"{"permissionsConfig":1}"#), missing),
        (
            keys.token(r#"{"permissionsConfig":"a/b.json"}"#),
            "Permissions override 'permissionsConfig' must be an absolute path: a/b.json",
        ),
    ];
    for (token, reason) in cases {
        let answer = gateway.with_token(&token).get("/permissions/self").await;
        let answer = answer.expect_error(401, &format!("Latchkey: {reason}"));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn another_keys_token_is_forged() {
    let (gateway, admin) = gateway().await;
    let other = end_to_end::Keys::from_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let answer = gateway
        .with_token(&other.override_token(&admin))
        .get("/permissions/self")
        .await;
    answer.expect_error(401, "Latchkey: Permissions override signature is invalid.");
}

#[tokio::test]
async fn a_token_that_was_good_does_not_vouch_for_one_that_differs() {
    let (gateway, admin) = gateway().await;
    let good = gateway.keys().override_token(&admin);
    gateway
        .with_token(&good)
        .get("/permissions/self")
        .await
        .expect(200);
    let mut altered = good.into_bytes();
    let last = altered.len() - 2;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    gateway
        .with_token(&altered)
        .get("/permissions/self")
        .await
        .expect(401);
}

#[tokio::test]
async fn dates_of_a_token_are_honoured_without_leeway() {
    let (gateway, admin) = gateway().await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = |claim: &str, seconds: u64| {
        let claims = json!({claim: seconds, "permissionsConfig": admin});
        gateway.keys().token(&claims.to_string())
    };
    let expired = "Latchkey: Permissions override has expired.";
    let early = "Latchkey: Permissions override is not yet valid.";
    gateway
        .with_token(&token("exp", now + 3600))
        .get("/permissions/self")
        .await
        .expect(200);
    gateway
        .with_token(&token("nbf", now))
        .get("/permissions/self")
        .await
        .expect(200);
    gateway
        .with_token(&token("exp", now))
        .get("/permissions/self")
        .await
        .expect_error(401, expired);
    gateway
        .with_token(&token("exp", 0))
        .get("/permissions/self")
        .await
        .expect_error(401, expired);
    gateway
        .with_token(&token("nbf", now + 30))
        .get("/permissions/self")
        .await
        .expect_error(401, early);
}

#[tokio::test]
async fn an_audience_is_nobodys_business() {
    let (gateway, admin) = gateway().await;
    let claims = json!({"aud": "somebody", "iat": 9_999_999_999_u64, "permissionsConfig": admin})
        .to_string();
    gateway
        .with_token(&gateway.keys().token(&claims))
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_token_for_a_file_that_is_none_is_a_bad_request() {
    let (gateway, _) = gateway().await;
    let missing = gateway
        .home()
        .plugin_data()
        .join("permissions/missing.json");
    let directory = gateway.home().plugin_data();
    let dangling = gateway.home().plugin_data().join("dangling.json");
    std::os::unix::fs::symlink(&missing, &dangling).unwrap();
    for path in [missing, directory, dangling] {
        let message = format!(
            "Permissions override references missing or invalid file: {}",
            path.display()
        );
        let answer = gateway
            .bearer_of(&path)
            .get("/permissions/self")
            .await
            .expect_error(400, &message);
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_token_may_name_a_link_to_a_file() {
    let (gateway, admin) = gateway().await;
    let link = gateway.home().plugin_data().join("link.json");
    std::os::unix::fs::symlink(admin, &link).unwrap();
    gateway
        .bearer_of(&link)
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn third_party_calls_answer_502_before_the_token_is_looked_at() {
    let (gateway, _) = gateway().await;
    for target in [
        "/latchkey",
        "/latchkey/",
        "/gateway/https://example.com/x?y=z",
        "/gateway/",
    ] {
        for method in ["GET", "POST"] {
            let caller = gateway.with_token("rubbish");
            let answer = caller.request(method, target).send().await.expect(502);
            assert!(answer.error().contains("install"), "{answer}");
            assert_eq!(answer.header("content-type"), "application/json");
        }
    }
    // Not these two routes, so an ordinary request.
    gateway.admin().get("/latchkey/x").await.expect(404);
    gateway.admin().get("/gateway").await.expect(404);
}

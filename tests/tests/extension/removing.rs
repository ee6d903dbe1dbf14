//! `extension remove`.

use end_to_end::{Gateway, Raw};
use serde_json::json;

use crate::stage::{self, ECHO, extension, gateway, home, listed};

#[tokio::test]
async fn component_policy_and_marker_are_gone_and_so_are_the_routes() {
    let gateway = gateway().await;
    gateway.admin().get("/echo/count").await.expect(200);
    let outcome = extension(gateway.home(), ["remove", "echo"]).expect_success();
    for expected in ["echo.wasm", "echo.toml", "echo: removed\n"] {
        assert!(outcome.stdout.contains(expected), "{outcome}");
    }
    gateway.admin().get("/echo/count").await.expect(404);
    for file in ["echo.wasm", "echo.toml", "echo.disabled"] {
        assert!(!gateway.home().extensions().join(file).exists(), "{file}");
    }
    assert!(listed(gateway.home(), "echo").is_null());
    extension(gateway.home(), ["remove", "echo"]).expect_code(1);
}

#[tokio::test]
async fn what_has_begun_is_answered_in_full() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    let mut raw: Raw = gateway.raw().await;
    raw.send(format!(
        "POST /echo HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10\r\nConnection: close\r\n{}\r\nfirst",
        admin.header_lines()
    ))
    .await;
    raw.answer_head().await.expect(200);
    extension(gateway.home(), ["remove", "echo"]).expect_success();
    admin.get("/echo/count").await.expect(404);
    raw.send("final").await;
    let rest = String::from_utf8(raw.until_closed().await).unwrap();
    assert!(
        rest.contains("final") && rest.ends_with("0\r\n\r\n"),
        "{rest:?}"
    );
}

#[tokio::test]
async fn the_policy_may_be_kept_for_when_it_comes_back() {
    let gateway = gateway().await;
    let outcome = stage::json(gateway.home(), ["remove", "echo", "--keep-policy"]);
    let files = json!([gateway.home().extensions().join("echo.wasm")]);
    assert_eq!(outcome["removed"], files, "{outcome}");
    let policy = std::fs::read_to_string(gateway.home().extensions().join("echo.toml"));
    assert_eq!(policy.unwrap(), ECHO);
    let outcome = extension(gateway.home(), ["remove", "echo"]).expect_success();
    assert!(outcome.stdout.contains("echo.toml"), "{outcome}");
}

#[tokio::test]
async fn what_comes_with_the_gateway_stays() {
    let gateway = gateway().await;
    let outcome = extension(gateway.home(), ["remove", "permissions"]).expect_code(1);
    assert!(
        outcome.stderr.contains("extension disable permissions"),
        "{outcome}"
    );
    gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200);
    assert!(
        gateway
            .home()
            .extensions()
            .join("permissions.wasm")
            .exists()
    );
}

#[tokio::test]
async fn it_needs_no_gateway() {
    let home = home();
    home.write("latchkey/extensions/echo.disabled", "", 0o600);
    let outcome = extension(&home, ["remove", "echo"]).expect_success();
    for expected in ["echo.wasm", "echo.toml", "echo.disabled", "no gateway of"] {
        assert!(outcome.stdout.contains(expected), "{outcome}");
    }
    let gateway = Gateway::in_home(home).start().await;
    gateway.admin().get("/echo/count").await.expect(404);
}

//! `extension reload`.

use end_to_end::{Gateway, component};
use serde_json::{Value, json};

use crate::stage::{self, ECHO, another, extension, gateway, home, listed};

/// What a reload by the only gateway came to.
fn reloaded(outcome: &Value) -> &Value {
    assert_eq!(
        outcome["gateways"].as_array().map(Vec::len),
        Some(1),
        "{outcome}"
    );
    &outcome["gateways"][0]["reloaded"]
}

#[tokio::test]
async fn a_named_extension_gets_fresh_instances_though_nothing_has_changed() {
    let gateway = gateway().await;
    let before = listed(gateway.home(), "echo");
    let outcome = stage::json(gateway.home(), ["reload", "echo"]);
    let expected = json!([{"name": "echo", "outcome": {"is": "replaced"}}]);
    assert_eq!(reloaded(&outcome), &expected, "{outcome}");
    let answer = gateway.admin().get("/echo/count").await.expect(200);
    assert_eq!(answer.text(), "1\n");
    let after = listed(gateway.home(), "echo");
    assert_eq!(before["serving"]["sha256"], after["serving"]["sha256"]);
    assert_ne!(before["serving"]["since"], after["serving"]["since"]);
}

#[tokio::test]
async fn all_that_has_changed_is_taken_and_the_rest_is_left_alone() {
    let gateway = gateway().await;
    let before = listed(gateway.home(), "permissions");
    gateway
        .home()
        .install("rival", r#"routes = ["GET /rival"]"#);
    let outcome = extension(gateway.home(), ["reload"]).expect_success();
    // The gateway may have noticed before it was told.
    let has_taken =
        outcome.stdout.contains("rival: added") || outcome.stdout.contains("rival: unchanged");
    assert!(has_taken, "{outcome}");
    for name in ["echo", "permissions"] {
        assert!(
            outcome.stdout.contains(&format!("{name}: unchanged\n")),
            "{outcome}"
        );
    }
    gateway.admin().get("/rival").await.expect(200);
    let after = listed(gateway.home(), "permissions");
    assert_eq!(before["serving"]["since"], after["serving"]["since"]);
}

#[tokio::test]
async fn what_is_refused_is_named_with_the_reason_every_time_and_fails() {
    let home = home();
    home.install_without_policy("rival", &component("rival"));
    let gateway = Gateway::in_home(home).start().await;
    for _ in 0..2 {
        let outcome = extension(gateway.home(), ["reload"]).expect_code(1);
        assert!(outcome.stdout.contains("rival: refused: "), "{outcome}");
        assert!(outcome.stdout.contains("rival.toml"), "{outcome}");
        assert!(outcome.stdout.contains("echo: unchanged\n"), "{outcome}");
    }
    gateway
        .home()
        .install("rival", r#"routes = ["GET /rival"]"#);
    let outcome = extension(gateway.home(), ["reload", "rival"]).expect_success();
    assert!(outcome.stdout.starts_with("rival: "), "{outcome}");
    gateway.admin().get("/rival").await.expect(200);
}

#[tokio::test]
async fn a_broken_component_is_refused_and_what_served_goes_on() {
    let gateway = gateway().await;
    gateway
        .home()
        .install_bytes("echo", b"cut \x1b[31moff", ECHO);
    for format in ["human", "json"] {
        let words = ["reload", "echo", "--format", format];
        let outcome = extension(gateway.home(), words).expect_code(1);
        assert!(
            outcome.stdout.contains("no WebAssembly component"),
            "{outcome}"
        );
        assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
    }
    gateway.admin().get("/echo/count").await.expect(200);
}

#[tokio::test]
async fn an_unknown_name_fails() {
    let gateway = gateway().await;
    for name in ["eco", "../echo"] {
        let outcome = extension(gateway.home(), ["reload", name]).expect_code(1);
        let expected = format!("{name}: refused: '{name}' is not in ");
        assert!(outcome.stdout.starts_with(&expected), "{outcome}");
    }
}

#[tokio::test]
async fn without_a_gateway_it_fails() {
    let home = home();
    let message = format!(
        "Error: no gateway of {} runs, so there is nothing to reload",
        home.latchkey_directory().display()
    );
    extension(&home, ["reload"]).expect_failure(&message);
    let outcome = extension(&home, ["reload", "echo", "--format", "json"]).expect_code(1);
    assert_eq!(outcome.json(), json!({"gateways": []}), "{outcome}");
}

#[tokio::test]
async fn every_gateway_of_the_directory_is_asked() {
    let gateway = gateway().await;
    let other = another(gateway.home()).await;
    let outcome = extension(gateway.home(), ["reload", "echo"]).expect_success();
    for pid in [gateway.process().id(), other.id()] {
        let expected = format!("echo: replaced by the gateway with pid {pid}\n");
        assert!(outcome.stdout.contains(&expected), "{outcome}");
    }
}

//! Hooks: programs that have a say in which requests are allowed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::{Gateway, Home};
use serde_json::{Value, json};

const DENIED: &str = "Error: Request not permitted by the user.";

/// A hook that records what it was given, and its permissions file.
fn hooked(home: &Home, script: &str, body: &Value) -> std::path::PathBuf {
    home.write(
        "latchkey/mngr_latchkey/hook",
        &format!("#!/bin/sh\n{script}\n"),
        0o700,
    );
    home.permissions_file("hooked.json", &json!({"rules": [{"any": body}]}))
}

#[tokio::test]
async fn a_hook_is_given_the_request_in_a_private_file() {
    let gateway = Gateway::start().await;
    let script = r#"cp "$1" "$(dirname "$0")/seen"; stat -c %a "$1" > "$(dirname "$0")/mode"; echo "$1" > "$(dirname "$0")/name""#;
    let path = hooked(gateway.home(), script, &json!({"hooks": ["./hook"]}));
    gateway
        .bearer_of(&path)
        .get("/permissions/self?q=1")
        .await
        .expect(200);
    let data = gateway.home().plugin_data();
    let seen: Value =
        serde_json::from_str(&fs::read_to_string(data.join("seen")).unwrap()).unwrap();
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/permissions/self");
    assert_eq!(seen["domain"], "latchkey-self.invalid");
    assert_eq!(seen["queryParams"], json!({"q": "1"}));
    assert!(
        !seen.to_string().contains(&gateway.keys().password()),
        "{seen}"
    );
    assert_eq!(fs::read_to_string(data.join("mode")).unwrap(), "600\n");
    let name = fs::read_to_string(data.join("name")).unwrap();
    assert!(
        !std::path::Path::new(name.trim()).exists(),
        "{name} was left behind"
    );
}

#[tokio::test]
async fn a_hook_decides_by_its_exit_code_and_schemas_decide_after_it() {
    let gateway = Gateway::start().await;
    let both = json!({"hooks": ["./hook"], "schemas": ["any"]});
    let none = json!({"hooks": ["./hook"], "schemas": ["slack-api"]});
    let first_fails = json!({"hooks": ["false", "./hook"]});
    for (script, body, status) in [
        ("exit 0", &both, 200),
        ("exit 0", &none, 403),
        ("exit 1", &both, 403),
        ("touch \"$(dirname \"$0\")/ran\"", &first_fails, 403),
    ] {
        let path = hooked(gateway.home(), script, body);
        let answer = gateway
            .bearer_of(&path)
            .get("/permissions/self")
            .await
            .expect(status);
        if status == 403 {
            assert_eq!(answer.error(), DENIED);
        }
    }
    assert!(
        !gateway.home().plugin_data().join("ran").exists(),
        "a hook ran after one that denied"
    );
}

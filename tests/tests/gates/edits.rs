//! Who may edit permissions files edits rules, and nothing that the gateway would run or read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use end_to_end::{Answer, Gateway, Home};
use serde_json::{Value, json};

const POLICY: &str = "routes = [\"POST /plants-hooks/{file}\"]\npermission_files = \"edit\"\n";

async fn gateway(home: Home) -> Gateway {
    home.install("plants-hooks", POLICY);
    Gateway::in_home(home).start().await
}

async fn plant(gateway: &Gateway, file: &str, content: &Value) -> Answer {
    let admin = gateway.admin();
    let target = format!("/plants-hooks/{file}");
    admin.post(&target, content.clone()).await
}

async fn assert_refused(gateway: &Gateway, file: &str, content: &Value, why: &str) {
    let answer = plant(gateway, file, content).await.expect(403);
    assert!(answer.text().contains(why), "{file} {content}: {answer}");
    let logged = |line: &str| {
        let words = ["plants-hooks", "permission-files", why];
        words.iter().all(|word| line.contains(word)).then_some(())
    };
    let process = gateway.process();
    process.logged("the refusal is logged", logged).await;
}

#[tokio::test]
async fn an_edit_brings_in_no_hook_and_no_file_that_may_have_one() {
    let home = Home::new();
    let known = json!({"rules": [{"slack-api": {"hooks": ["./known"]}}]});
    home.permissions_file("hooked.json", &known);
    let gateway = gateway(home).await;
    let shell = json!({"rules": [{"any": {"hooks": ["/bin/sh"], "schemas": ["any"]}}]});
    for file in ["new.json", "hooked.json", "latchkey_admin_permissions.json"] {
        let path = gateway.home().plugin_data().join(file);
        let before = fs::read(&path).ok();
        assert_refused(&gateway, file, &shell, "hook").await;
        let includes = json!({"include": ["elsewhere.json"], "rules": []});
        assert_refused(&gateway, file, &includes, "includes").await;
        assert_eq!(fs::read(&path).ok(), before, "{file}");
    }
    let kept = json!({"rules": [{"slack-api": {"hooks": ["./known"]}}, {"any": ["any"]}]});
    plant(&gateway, "hooked.json", &kept).await.expect(200);
    plant(&gateway, "new.json", &json!({"rules": []}))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_is_no_permissions_file_stays_what_it_is() {
    let home = Home::new();
    let gateway_files = [
        ("hook", "#!/bin/sh\nexit 1\n"),
        ("latchkey_forward.json", r#"{"pid": 1}"#),
        (
            "events.jsonl",
            "{\"level\":\"INFO\"}\n{\"level\":\"WARN\"}\n",
        ),
    ];
    for (file, content) in gateway_files {
        home.write(&format!("latchkey/mngr_latchkey/{file}"), content, 0o600);
    }
    let hook = home.plugin_data().join("hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let gateway = gateway(home).await;
    for (file, content) in gateway_files {
        let rules = json!({"rules": []});
        assert_refused(&gateway, file, &rules, "no permissions file").await;
        let path = gateway.home().plugin_data().join(file);
        let now = fs::read_to_string(&path).unwrap();
        assert!(now.starts_with(content), "{file}: {now}");
    }
    let observing = json!({"since": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"});
    assert_refused(&gateway, "observe.json", &observing, "since").await;
}

//! Deciding on requests: approving adds the effect to the target, denying does nothing else.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::{Answer, Gateway, ask, mode, read_json, share};
use serde_json::{Value, json};

const PATH: &str = "/permission-requests";

/// The body of `answer`, which must be JSON as the original writes it.
#[track_caller]
fn pretty(answer: &Answer) -> Value {
    let json = answer.json();
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8",
        "{answer}"
    );
    assert_eq!(
        answer.text(),
        format!("{}\n", serde_json::to_string_pretty(&json).unwrap())
    );
    json
}

#[tokio::test]
async fn approving_adds_the_effect_to_the_target_and_removes_the_request() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let before = read_json(&agent.permissions);
    let id = agent
        .post(PATH, ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201)
        .id();
    assert_eq!(
        read_json(&agent.permissions),
        before,
        "asking grants nothing"
    );
    let answer = gateway.admin().approve(&id).await.expect(200);
    let applied = pretty(&answer);
    let mut after = before;
    after["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"slack-api": ["slack-read-all"]}));
    assert_eq!(
        applied.to_string(),
        json!({"request_id": id, "target": agent.handle, "applied": after}).to_string()
    );
    assert_eq!(
        fs::read_to_string(&agent.permissions).unwrap().trim_end(),
        serde_json::to_string_pretty(&after).unwrap()
    );
    assert!(
        fs::symlink_metadata(&agent.handle).unwrap().is_symlink(),
        "the handle stays a link"
    );
    assert!(gateway.admin().pending().await.is_empty());
    gateway
        .admin()
        .approve(&id)
        .await
        .expect_error(404, &format!("Permission request '{id}' not found."));
    assert_eq!(
        agent.get("/permissions/self").await.expect(200).json(),
        after
    );
}

#[tokio::test]
async fn rules_merge_by_scope_in_order_and_schemas_by_name() {
    let gateway = Gateway::start().await;
    let content = json!({
        "include": [],
        "rules": [{"slack-api": ["slack-write-all", "slack-read-all"]}, {"any": ["any"]}],
    });
    let path = gateway.home().permissions_file("hosts/x.json", &content);
    let caller = gateway.bearer_of(&path);
    let wanted = [
        "slack-chat-write",
        "slack-read-all",
        "slack-chat-read",
        "slack-chat-write",
    ];
    let id = caller
        .post(PATH, ask("slack-api", wanted))
        .await
        .expect(201)
        .id();
    gateway.admin().approve(id).await.expect(200);
    let after = read_json(&path);
    let merged = [
        "slack-write-all",
        "slack-read-all",
        "slack-chat-write",
        "slack-chat-read",
    ];
    assert_eq!(after["rules"][0], json!({"slack-api": merged}));
    assert_eq!(after["rules"][1], content["rules"][1]);
    assert_eq!(after["include"], json!([]));
    assert_eq!(
        after.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["include", "rules"],
        "no empty schemas"
    );
}

#[tokio::test]
async fn a_granted_file_can_be_used_from_the_next_request_on() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let id = agent
        .post(PATH, share("/home/me/data", "READ"))
        .await
        .expect(201)
        .id();
    let file = "/minds-api-proxy/api/v1/files/home/me/data/x.csv";
    agent.get(file).await.expect(403);
    gateway.admin().approve(id).await.expect(200);
    // Allowed now; who serves it is not this test's matter.
    assert_ne!(agent.get(file).await.status, 403);
    agent.request("PUT", file).send().await.expect(403);
    agent
        .get("/minds-api-proxy/api/v1/files/home/me/database")
        .await
        .expect(403);
}

#[tokio::test]
async fn a_missing_target_is_created_with_its_directories() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let id = agent
        .post(PATH, ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201)
        .id();
    fs::remove_dir_all(agent.permissions.parent().unwrap()).unwrap();
    gateway.admin().approve(id).await.expect(200);
    assert_eq!(
        read_json(&agent.permissions),
        json!({"rules": [{"slack-api": ["slack-read-all"]}]})
    );
    assert_eq!(mode(&agent.permissions), 0o600);
    assert_eq!(mode(agent.permissions.parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_target_that_is_no_object_is_an_error_and_the_request_stays() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let id = agent
        .post(PATH, ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201)
        .id();
    for content in ["[]", "no JSON", "", r#"{"rules": {}}"#] {
        fs::write(&agent.permissions, content).unwrap();
        let answer = gateway.admin().approve(&id).await;
        assert!(matches!(answer.status, 409 | 500), "{content}: {answer}");
        if content != r#"{"rules": {}}"# {
            assert_eq!(answer.status, 500, "{content}: {answer}");
        }
        assert!(
            answer.error().contains(agent.handle.to_str().unwrap()),
            "{answer}"
        );
        assert_eq!(fs::read_to_string(&agent.permissions).unwrap(), content);
        assert_eq!(gateway.admin().pending().await.len(), 1);
    }
    fs::write(&agent.permissions, "{}").unwrap();
    gateway.admin().approve(&id).await.expect(200);
}

#[tokio::test]
async fn denying_removes_the_request_and_nothing_else() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let before = fs::read(&agent.permissions).unwrap();
    let id = agent
        .post(PATH, ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201)
        .id();
    let answer = gateway
        .admin()
        .delete(&format!("/permission-requests/{id}"))
        .await
        .expect(204);
    assert_eq!(answer.text(), "");
    assert!(gateway.admin().pending().await.is_empty());
    assert_eq!(fs::read(&agent.permissions).unwrap(), before);
    gateway
        .admin()
        .delete(&format!("/permission-requests/{id}"))
        .await
        .expect_error(404, &format!("Permission request '{id}' not found."));
}

#[tokio::test]
async fn an_id_is_a_file_name_and_percent_decoded_first() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let unsafe_name = "must match /^[A-Za-z0-9._-]+$/ to be safe to use as a filename.";
    for (segment, problem) in [
        ("a%2fb", unsafe_name),
        ("..%2fencryption_key", unsafe_name),
        ("a%20b", unsafe_name),
        ("%00", unsafe_name),
        ("%c3%a9", unsafe_name),
        ("a:b", unsafe_name),
        ("%", unsafe_name),
    ] {
        let message = format!("Invalid request_id: {problem}");
        admin.approve(segment).await.expect_error(400, &message);
        admin
            .delete(&format!("/permission-requests/{segment}"))
            .await
            .expect_error(400, &message);
    }
    for id in ["nope", "...", "a.b_c-D", &"x".repeat(300)] {
        let message = format!("Permission request '{id}' not found.");
        admin.approve(id).await.expect_error(404, &message);
        admin
            .delete(&format!("/permission-requests/{id}"))
            .await
            .expect_error(404, &message);
    }
    // The percent sign is decoded.
    let id = admin
        .post(PATH, ask("slack-api", []))
        .await
        .expect(201)
        .id();
    let encoded: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
    admin
        .delete(&format!("/permission-requests/{encoded}"))
        .await
        .expect(204);
}

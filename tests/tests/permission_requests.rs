//! Asking, listing, approving and denying: `/permission-requests`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::{AGENT, Answer, Gateway, ask, mode, read_json, share};
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
async fn a_new_request_is_answered_and_kept_as_a_record() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let mut body = ask("slack-api", ["slack-read-all", "slack-chat-write"]);
    body["agent_id"] = Value::from(agent.id.as_str());
    let answer = agent.post(PATH, body.clone()).await.expect(201);
    let record = pretty(&answer);
    let id = answer.id();
    assert!(
        id.len() == 32
            && id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "{id}"
    );
    let expected = json!({
        "request_id": id,
        "agent_id": agent.id,
        "rationale": body["rationale"],
        "request_type": "predefined",
        "payload": body["payload"],
        "target": agent.handle,
        "effect": {"rules": [{"slack-api": ["slack-read-all", "slack-chat-write"]}]},
    });
    // As text, so that the order of the members counts.
    assert_eq!(record.to_string(), expected.to_string());
    let file = gateway.home().pending_requests().join(format!("{id}.json"));
    assert_eq!(read_json(&file), expected);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&gateway.home().pending_requests()), 0o700);
    assert_eq!(gateway.admin().pending().await, [expected]);
}

#[tokio::test]
async fn a_file_sharing_request_has_the_schema_that_grants_it() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let read = ["GET", "HEAD", "OPTIONS", "PROPFIND"].as_slice();
    let write = [
        "GET",
        "HEAD",
        "OPTIONS",
        "PROPFIND",
        "PUT",
        "DELETE",
        "PROPPATCH",
        "MKCOL",
        "LOCK",
        "UNLOCK",
    ]
    .as_slice();
    for (access, word, methods) in [("READ", "read", read), ("WRITE", "write", write)] {
        let record = agent
            .post(PATH, share("/home/me/notes.txt", access))
            .await
            .expect(201)
            .json();
        assert_eq!(record["request_type"], "file-sharing");
        let name = format!("minds-file-server-{word}-/home/me/notes.txt");
        let expected = json!({
            "rules": [{"latchkey-self": [name]}],
            "schemas": {name: {
                "properties": {
                    "method": {"enum": methods},
                    "path": {"type": "string", "pattern": r"^/minds-api-proxy/api/v1/files/home/me/notes\.txt(/.*)?$"},
                },
                "required": ["method", "path"],
            }},
        });
        assert_eq!(record["effect"], expected);
    }
}

#[tokio::test]
async fn every_wrong_body_is_refused_in_the_words_that_clients_know() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let predefined = |payload: Value| json!({"agent_id": AGENT, "rationale": "r", "type": "predefined", "payload": payload});
    let sharing = |payload: Value| json!({"agent_id": AGENT, "rationale": "r", "type": "file-sharing", "payload": payload});
    let text = |field: &str| format!("'{field}' is required and must be a non-empty string.");
    let payload_text =
        |field: &str| format!("payload.'{field}' is required and must be a non-empty string.");
    let strings = "payload.'permissions' is required and must be an array of strings.";
    let cases: Vec<(Value, String)> = vec![
        (json!([]), "expected a JSON object.".into()),
        (json!("x"), "expected a JSON object.".into()),
        (json!(null), "expected a JSON object.".into()),
        (json!({}), text("agent_id")),
        (json!({"agent_id": 1}), text("agent_id")),
        (json!({"agent_id": ""}), text("agent_id")),
        (json!({"agent_id": "me"}), "'agent_id' must be 'agent-' followed by 32 hexadecimal characters; got 'me'.".into()),
        (json!({"agent_id": AGENT, "x": 1}), text("rationale")),
        (json!({"agent_id": AGENT, "rationale": []}), text("rationale")),
        (json!({"agent_id": AGENT, "rationale": "r"}), text("type")),
        (json!({"agent_id": AGENT, "rationale": "r", "type": ""}), text("type")),
        (json!({"agent_id": AGENT, "rationale": "r", "type": "other"}), "field 'type' must be one of 'predefined', 'file-sharing'; got 'other'.".into()),
        (json!({"agent_id": AGENT, "rationale": "r", "type": "predefined", "x": 1}), "field 'payload' is required.".into()),
        (json!({"agent_id": AGENT, "rationale": "r", "type": "predefined", "payload": 1, "x": 1, "y": 2}), "unknown field(s): 'x', 'y'.".into()),
        (predefined(json!(null)), "'payload' must be a JSON object for type 'predefined'.".into()),
        (sharing(json!([])), "'payload' must be a JSON object for type 'file-sharing'.".into()),
        (predefined(json!({"permissions": 1, "x": 1})), payload_text("scope")),
        (predefined(json!({"scope": "", "permissions": []})), payload_text("scope")),
        (predefined(json!({"scope": "nope", "x": 1})), strings.into()),
        (predefined(json!({"scope": "nope", "permissions": "any"})), strings.into()),
        (predefined(json!({"scope": "nope", "permissions": ["any", 1]})), strings.into()),
        (predefined(json!({"scope": "nope", "permissions": [], "x": 1, "y": 1})), "unknown payload field(s): 'x', 'y'.".into()),
        (predefined(json!({"scope": "nope", "permissions": []})), "payload.'scope' 'nope' is not a known service scope in the catalog.".into()),
        (predefined(json!({"scope": "any", "permissions": ["any"]})), "payload.'scope' 'any' is not a known service scope in the catalog.".into()),
        (
            predefined(json!({"scope": "slack-api", "permissions": ["a", "slack-read-all", "github-read-all"]})),
            "payload.'permissions' contains entries not valid for scope 'slack-api': 'a', 'github-read-all'.".into(),
        ),
        (sharing(json!({"access": "x", "y": 1})), payload_text("path")),
        (sharing(json!({"path": "a"})), "payload.'path' must be absolute (start with '/'): got a.".into()),
        (sharing(json!({"path": "/a/../b"})), "payload.'path' contains a '..' segment, refusing as a path-traversal attempt: /a/../b.".into()),
        (sharing(json!({"path": "/a\\..\\b"})), "payload.'path' contains a '..' segment, refusing as a path-traversal attempt: /a\\..\\b.".into()),
        (sharing(json!({"path": "/a/..", "access": "READ"})), "payload.'path' contains a '..' segment, refusing as a path-traversal attempt: /a/...".into()),
        (sharing(json!({"path": "/a"})), payload_text("access")),
        (sharing(json!({"path": "/a", "access": "read"})), "payload.'access' must be one of 'READ', 'WRITE'; got 'read'.".into()),
        (sharing(json!({"path": "/a", "access": "READ", "x": 1})), "unknown payload field(s): 'x'.".into()),
        (sharing(json!({"path": "/", "access": "READ"})), "payload.'path' must name something below '/'.".into()),
    ];
    for (body, detail) in cases {
        let answer = agent
            .post(PATH, body)
            .await
            .expect_error(400, &format!("Invalid request body: {detail}"));
        pretty(&answer);
    }
    for body in ["", "  \n"] {
        let answer = agent.request("POST", PATH).body(body).send().await;
        answer.expect_error(
            400,
            "Invalid request body: expected a JSON object, got empty body.",
        );
    }
    for body in ["{", "no", "{} {}"] {
        let answer = agent
            .request("POST", PATH)
            .body(body)
            .send()
            .await
            .expect(400);
        assert!(
            answer
                .error()
                .starts_with("Invalid request body: not valid JSON: "),
            "{answer}"
        );
    }
    assert!(gateway.admin().pending().await.is_empty());
}

#[tokio::test]
async fn any_is_accepted_under_every_known_scope() {
    let gateway = Gateway::start().await;
    let catalog = gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200)
        .json();
    for entry in catalog
        .as_object()
        .unwrap()
        .values()
        .flat_map(|entries| entries.as_array().unwrap())
    {
        gateway
            .admin()
            .post(PATH, ask(entry["scope"].as_str().unwrap(), ["any"]))
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn the_type_of_the_body_and_one_trailing_slash_do_not_matter() {
    let gateway = Gateway::start().await;
    let body = ask("slack-api", []).to_string();
    gateway
        .admin()
        .request("POST", PATH)
        .body(body.clone())
        .send()
        .await
        .expect(201);
    gateway
        .admin()
        .request("POST", "/permission-requests/")
        .header("content-type", "text/plain")
        .body(body)
        .send()
        .await
        .expect(201);
    assert_eq!(
        gateway
            .admin()
            .get("/permission-requests/")
            .await
            .expect(200)
            .json_lines()
            .len(),
        2
    );
}

#[tokio::test]
async fn the_list_is_one_compact_record_a_line_sorted_by_file_name() {
    let gateway = Gateway::start().await;
    let empty = gateway.admin().get(PATH).await.expect(200);
    assert_eq!(
        (empty.text(), empty.header("content-type")),
        ("", "application/x-ndjson; charset=utf-8")
    );
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(
            gateway
                .admin()
                .post(PATH, ask("slack-api", []))
                .await
                .expect(201)
                .id(),
        );
    }
    ids.sort();
    let answer = gateway.admin().get(PATH).await.expect(200);
    let records = answer.json_lines();
    let listed: Vec<_> = records
        .iter()
        .map(|record| record["request_id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ids);
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    assert_eq!(answer.text(), lines);
}

#[tokio::test]
async fn files_that_others_add_remove_or_spoil_show_at_once() {
    let gateway = Gateway::start().await;
    let answer = gateway
        .admin()
        .post(PATH, ask("slack-api", []))
        .await
        .expect(201);
    let directory = gateway.home().pending_requests();
    let mut record = answer.json();
    record["request_id"] = Value::from("by-hand");
    for (name, content) in [
        ("0.json", "no JSON"),
        ("1.json", "{}"),
        ("2.txt", "x"),
        (".3.json", "{}"),
    ] {
        fs::write(directory.join(name), content).unwrap();
    }
    fs::create_dir(directory.join("4.json")).unwrap();
    fs::write(directory.join("by-hand.json"), record.to_string()).unwrap();
    let pending = gateway.admin().pending().await;
    let mut ids: Vec<_> = pending
        .iter()
        .map(|record| record["request_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let mut expected = vec![answer.id(), "by-hand".to_owned()];
    expected.sort();
    assert_eq!(ids, expected);
    fs::remove_file(directory.join("by-hand.json")).unwrap();
    assert_eq!(gateway.admin().pending().await.len(), 1);
    gateway
        .admin()
        .delete("/permission-requests/by-hand")
        .await
        .expect(404);
}

#[tokio::test]
async fn a_catalog_that_is_edited_counts_without_a_restart() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let unknown = "Invalid request body: payload.'scope' 'weather-api' is not a known service scope in the catalog.";
    admin
        .post(PATH, ask("weather-api", ["weather-read"]))
        .await
        .expect_error(400, unknown);
    let path = gateway
        .home()
        .latchkey_directory()
        .join("extensions/services.json");
    let mut catalog = read_json(&path);
    catalog["weather"] = json!([
        {"scope": "weather-api", "display_name": "Weather", "permissions": [{"name": "weather-read"}]},
    ]);
    catalog["climate"] = json!([
        {"scope": "weather-api", "display_name": "Climate", "permissions": [{"name": "climate-read"}]},
    ]);
    fs::write(&path, catalog.to_string()).unwrap();
    let record = admin
        .post(PATH, ask("weather-api", ["weather-read", "climate-read"]))
        .await
        .expect(201)
        .json();
    assert_eq!(
        record["effect"],
        json!({"rules": [{"weather-api": ["weather-read", "climate-read"]}]})
    );
    assert_eq!(
        admin
            .get("/permissions/available/weather")
            .await
            .expect(200)
            .json(),
        catalog["weather"]
    );
    fs::write(&path, "no JSON").unwrap();
    let answer = admin
        .post(PATH, ask("weather-api", ["weather-read"]))
        .await
        .expect(500);
    assert!(
        answer.error().starts_with("Could not load services.json: "),
        "{answer}"
    );
    // What needs no catalog goes on.
    admin.post(PATH, share("/a", "READ")).await.expect(201);
    fs::write(&path, catalog.to_string()).unwrap();
    admin
        .post(PATH, ask("weather-api", ["climate-read"]))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_new_start_brings_the_catalog_back() {
    let gateway = Gateway::start().await;
    let path = gateway
        .home()
        .latchkey_directory()
        .join("extensions/services.json");
    let catalog = read_json(&path);
    let home = gateway.kill().await;
    fs::write(&path, "{}").unwrap();
    let gateway = Gateway::in_home(home).start().await;
    assert_eq!(
        gateway
            .admin()
            .get("/permissions/available")
            .await
            .expect(200)
            .json(),
        catalog
    );
}

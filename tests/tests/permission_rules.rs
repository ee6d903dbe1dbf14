//! Permissions files and the service catalog over HTTP: `/permissions`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;

use end_to_end::{Answer, Caller, Gateway, Home, mode, read_json};
use serde_json::{Value, json};

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

/// The target of a rule.
fn rule(path: &str, key: &str) -> String {
    format!("/permissions/rules?path={path}&rule_key={key}")
}

async fn post_text(caller: &Caller, target: &str, body: &'static str) -> Answer {
    caller.request("POST", target).body(body).send().await
}

#[tokio::test]
async fn the_file_that_applies_is_the_callers_own() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let answer = agent.get("/permissions/self").await.expect(200);
    assert_eq!(pretty(&answer), read_json(&agent.permissions));
    let answer = gateway.admin().get("/permissions/self/").await.expect(200);
    assert_eq!(pretty(&answer), json!({"rules": [{"any": ["any"]}]}));
}

#[tokio::test]
async fn a_file_is_named_absolutely_or_from_the_root() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let absolute = agent.permissions.display();
    let relative = format!("hosts/{}/latchkey_permissions.json", agent.host_id);
    let handle = agent.handle.display();
    let named = [
        absolute.to_string(),
        relative.clone(),
        handle.to_string(),
        format!("./hosts/../{relative}"),
        relative.replace('/', "%2F"),
    ];
    for path in named {
        let answer = gateway
            .admin()
            .get(&format!("/permissions?path={path}"))
            .await
            .expect(200);
        assert_eq!(pretty(&answer), read_json(&agent.permissions));
        gateway
            .admin()
            .get(&format!("/permissions/?path={path}"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn nothing_outside_the_root_is_read_or_written() {
    let gateway = Gateway::start().await;
    let data = gateway.home().plugin_data();
    let outside = gateway
        .home()
        .write("outside.json", r#"{"rules": []}"#, 0o600);
    symlink(&outside, data.join("link.json")).unwrap();
    symlink(gateway.home().path(), data.join("directory")).unwrap();
    symlink("loop.json", data.join("loop.json")).unwrap();
    let outside = outside.display().to_string();
    for path in [
        outside.as_str(),
        "../encryption_key",
        "hosts/../../encryption_key",
        "/etc/passwd",
        "link.json",
        "directory/outside.json",
        "directory/new.json",
        "..",
        ".",
        "",
        &data.display().to_string(),
        &format!("{}-evil/x.json", data.display()),
    ] {
        let message = if path.is_empty() {
            "Missing required 'path' query parameter.".to_owned()
        } else {
            format!("Path '{path}' resolves outside LATCHKEY_EXTENSION_PERMISSIONS_ROOT.")
        };
        let status = if path.is_empty() { 400 } else { 403 };
        let admin = gateway.admin();
        admin
            .get(&format!("/permissions?path={path}"))
            .await
            .expect_error(status, &message);
        admin
            .get(&rule(path, "any"))
            .await
            .expect_error(status, &message);
        admin
            .post(&rule(path, "any"), json!(["any"]))
            .await
            .expect_error(status, &message);
        admin
            .delete(&rule(path, "any"))
            .await
            .expect_error(status, &message);
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), r#"{"rules": []}"#);
    assert!(!gateway.home().path().join("new.json").exists());
}

#[tokio::test]
async fn without_a_root_nothing_is_named() {
    let home = Home::new();
    home.write(
        "latchkey/permissions.json",
        r#"{"rules": [{"any": ["any"]}]}"#,
        0o600,
    );
    let gateway = Gateway::in_home(home).by_environment().start().await;
    let message = "Permissions extension refuses requests because LATCHKEY_EXTENSION_PERMISSIONS_ROOT is not set.";
    gateway
        .guest()
        .get("/permissions?path=x.json")
        .await
        .expect_error(403, message);
    gateway
        .guest()
        .post(&rule("x.json", "any"), json!([]))
        .await
        .expect_error(403, message);
    gateway.guest().get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn missing_parameters_are_named() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let path = "Missing required 'path' query parameter.";
    let key = "Missing required 'rule_key' query parameter.";
    admin.get("/permissions").await.expect_error(400, path);
    for method in ["GET", "POST", "DELETE"] {
        let refused = async |target: &str, message: &str| {
            admin
                .request(method, target)
                .send()
                .await
                .expect_error(400, message);
        };
        refused("/permissions/rules", path).await;
        refused("/permissions/rules?rule_key=any", path).await;
        refused(
            "/permissions/rules?path=latchkey_admin_permissions.json",
            key,
        )
        .await;
    }
}

#[tokio::test]
async fn missing_and_malformed_files_are_told_apart() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let missing = gateway.home().plugin_data().join("missing.json");
    let message = format!("permissions.json not found at {}", missing.display());
    admin
        .get("/permissions?path=missing.json")
        .await
        .expect_error(404, &message);
    admin
        .get(&rule("missing.json", "any"))
        .await
        .expect_error(404, &message);
    admin
        .delete(&rule("missing.json", "any"))
        .await
        .expect_error(404, &message);
    for content in ["no JSON", "[]", ""] {
        let path = gateway
            .home()
            .write("latchkey/mngr_latchkey/bad.json", content, 0o600);
        let message = format!("permissions.json at {} is malformed: ", path.display());
        for answer in [
            admin.get("/permissions?path=bad.json").await,
            admin.get(&rule("bad.json", "any")).await,
            admin.post(&rule("bad.json", "any"), json!([])).await,
            admin.delete(&rule("bad.json", "any")).await,
        ] {
            let answer = answer.expect(500);
            assert!(answer.error().starts_with(&message), "{answer}");
        }
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_rule_is_added_replaced_read_and_removed() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let content = json!({"include": ["other.json"], "rules": [{"any": ["any"]}, {"github-rest-api": []}], "schemas": {"s": {}}});
    let path = gateway.home().permissions_file("x.json", &content);
    let target = rule("x.json", "slack-api");

    let missing = "No rule with key 'slack-api' in permissions.json";
    admin.get(&target).await.expect_error(404, missing);
    let answer = admin
        .post(&target, json!(["slack-read-all"]))
        .await
        .expect(201);
    assert_eq!(pretty(&answer), json!({"slack-api": ["slack-read-all"]}));
    let answer = admin.get(&target).await.expect(200);
    assert_eq!(pretty(&answer), json!({"slack-api": ["slack-read-all"]}));

    let first = rule("x.json", "any");
    let answer = admin
        .post(&first, json!(["slack-write-all", "slack-api"]))
        .await
        .expect(200);
    assert_eq!(
        pretty(&answer),
        json!({"any": ["slack-write-all", "slack-api"]})
    );
    let expected = json!({
        "include": ["other.json"],
        "rules": [{"any": ["slack-write-all", "slack-api"]}, {"github-rest-api": []}, {"slack-api": ["slack-read-all"]}],
        "schemas": {"s": {}},
    });
    // As text, so that the order counts.
    assert_eq!(
        fs::read_to_string(&path).unwrap().trim_end(),
        serde_json::to_string_pretty(&expected).unwrap()
    );

    let answer = admin
        .delete(&rule("x.json", "github-rest-api"))
        .await
        .expect(204);
    assert_eq!(answer.text(), "");
    admin
        .delete(&rule("x.json", "github-rest-api"))
        .await
        .expect_error(
            404,
            "No rule with key 'github-rest-api' in permissions.json",
        );
    let rules = &read_json(&path)["rules"];
    assert_eq!(
        rules,
        &json!([{"any": ["slack-write-all", "slack-api"]}, {"slack-api": ["slack-read-all"]}])
    );
}

#[tokio::test]
async fn a_rule_may_bring_its_schemas() {
    let gateway = Gateway::start().await;
    let path = gateway
        .home()
        .permissions_file("x.json", &json!({"rules": []}));
    let schema = json!({"properties": {"method": {"const": "GET"}}});
    let body = json!({"permissions": ["mine"], "schemas": {"mine": schema}});
    let answer = gateway
        .admin()
        .post(&rule("x.json", "slack-api"), body)
        .await
        .expect(201);
    assert_eq!(pretty(&answer), json!({"slack-api": ["mine"]}));
    assert_eq!(
        read_json(&path),
        json!({"rules": [{"slack-api": ["mine"]}], "schemas": {"mine": schema}})
    );
}

#[tokio::test]
async fn a_rule_of_a_new_file_creates_its_directories() {
    let gateway = Gateway::start().await;
    let path = gateway
        .home()
        .plugin_data()
        .join("hosts/new/latchkey_permissions.json");
    let target = rule("hosts/new/latchkey_permissions.json", "slack-api");
    gateway
        .admin()
        .post(&target, json!(["slack-read-all"]))
        .await
        .expect(201);
    assert_eq!(
        read_json(&path),
        json!({"rules": [{"slack-api": ["slack-read-all"]}]})
    );
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn an_edit_through_a_link_keeps_the_link() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let handle = agent.handle.display().to_string();
    gateway
        .admin()
        .post(&rule(&handle, "slack-api"), json!(["slack-read-all"]))
        .await
        .expect(201);
    assert!(fs::symlink_metadata(&agent.handle).unwrap().is_symlink());
    assert_eq!(
        read_json(&agent.permissions)["rules"][2],
        json!({"slack-api": ["slack-read-all"]})
    );
}

#[tokio::test]
async fn every_wrong_body_of_a_rule_is_refused_in_the_words_that_clients_know() {
    let gateway = Gateway::start().await;
    let path = gateway
        .home()
        .permissions_file("x.json", &json!({"rules": []}));
    let before = fs::read(&path).unwrap();
    let (admin, target) = (gateway.admin(), rule("x.json", "slack-api"));
    for (body, detail) in [
        ("", "expected a JSON array, got empty body"),
        (" \n", "expected a JSON array, got empty body"),
        ("1", "expected a JSON array of permission-schema names"),
        ("null", "expected a JSON array of permission-schema names"),
        ("[1]", "every array element must be a string"),
        ("[\"a\", null]", "every array element must be a string"),
    ] {
        let answer = post_text(&admin, &target, body).await;
        pretty(&answer.expect_error(400, &format!("Invalid request body: {detail}")));
    }
    for body in ["[", "x"] {
        let answer = post_text(&admin, &target, body).await.expect(400);
        assert!(
            answer
                .error()
                .starts_with("Invalid request body: not valid JSON: "),
            "{answer}"
        );
    }
    for body in [
        "{}",
        r#"{"permissions": 1}"#,
        r#"{"permissions": [], "schemas": []}"#,
        r#"{"permissions": [], "x": 1}"#,
    ] {
        let answer = post_text(&admin, &target, body).await.expect(400);
        assert!(
            answer.error().starts_with("Invalid request body: "),
            "{answer}"
        );
    }
    assert_eq!(fs::read(path).unwrap(), before);
}

/// What the catalog got after the first version.
const LATER_SERVICES: [&str; 4] = ["github-graphql", "notion-mcp", "ramp", "todoist"];

#[tokio::test]
async fn the_catalog_has_every_name_of_the_first_version() {
    let gateway = Gateway::start().await;
    let answer = gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200);
    let catalog = pretty(&answer);
    let mut services = catalog.as_object().unwrap().clone();
    services.retain(|service, _| !LATER_SERVICES.contains(&service.as_str()));
    let entries: Vec<&Value> = services
        .values()
        .flat_map(|entries| entries.as_array().unwrap())
        .collect();
    let permissions = entries
        .iter()
        .flat_map(|entry| entry["permissions"].as_array().unwrap());
    let mut names: Vec<&str> = permissions
        .map(|permission| permission["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((services.len(), entries.len(), names.len()), (26, 28, 310));
    for entry in entries {
        assert!(
            entry["scope"].is_string() && entry["display_name"].is_string(),
            "{entry}"
        );
        let keys: Vec<_> = entry
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert!(
            keys.iter()
                .all(|key| ["scope", "display_name", "description", "permissions"].contains(key)),
            "{entry}"
        );
    }
    assert_eq!(
        gateway
            .admin()
            .get("/permissions/available/")
            .await
            .expect(200)
            .json(),
        catalog
    );
}

#[tokio::test]
async fn a_service_is_looked_up_by_its_name() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let catalog = gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200)
        .json();
    for (service, entries) in catalog.as_object().unwrap() {
        let answer = agent
            .get(&format!("/permissions/available/{service}"))
            .await
            .expect(200);
        assert_eq!(&pretty(&answer), entries);
    }
    let missing = "No permission catalog entry for service 'nope'.";
    agent
        .get("/permissions/available/nope")
        .await
        .expect_error(404, missing);
    for (segment, name) in [
        ("Slack", "Slack"),
        ("a_b", "a_b"),
        ("-a", "-a"),
        ("a%20b", "a b"),
        ("a%2fb", "a/b"),
        ("__proto__", "__proto__"),
    ] {
        let message = format!("Invalid service name '{name}': must match /^[a-z0-9][a-z0-9-]*$/.");
        gateway
            .admin()
            .get(&format!("/permissions/available/{segment}"))
            .await
            .expect_error(400, &message);
    }
    gateway
        .admin()
        .get("/permissions/available/constructor")
        .await
        .expect(404);
}

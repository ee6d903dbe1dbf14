//! Which requests a permissions file allows, seen from outside: order of decisions, addresses, hooks and what is unusable.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::{Caller, Gateway, Home, ask};
use serde_json::{Value, json};

const DENIED: &str = "Error: Request not permitted by the user.";

/// Somebody to whom this permissions file applies.
fn bearer(gateway: &Gateway, name: &str, permissions: &Value) -> Caller {
    gateway.bearer_of(&gateway.home().permissions_file(name, permissions))
}

/// A permissions file with one schema, which allows everything that it matches.
fn allowing(schema: Value) -> Value {
    json!({"schemas": {"this": schema}, "rules": [{"any": ["this"]}]})
}

#[tokio::test]
async fn what_no_rule_allows_is_denied_even_where_nothing_is() {
    let gateway = Gateway::start().await;
    for target in [
        "/permissions/self",
        "/permission-requests",
        "/nowhere",
        "/x/../permissions/self",
    ] {
        let answer = gateway.guest().get(target).await.expect_error(403, DENIED);
        assert_eq!(answer.text(), format!(r#"{{"error":"{DENIED}"}}"#));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn what_nobody_serves_is_404_without_a_body() {
    let gateway = Gateway::start().await;
    for (method, target) in [
        ("GET", "/nowhere"),
        ("PUT", "/permissions/self"),
        ("POST", "/permissions/self"),
        ("DELETE", "/permission-requests"),
        ("PATCH", "/permission-requests"),
        ("GET", "/permission-requests/x"),
        ("GET", "/permission-requests//"),
        ("POST", "/permission-requests/approve/"),
        ("POST", "/permission-requests/approve/a/b"),
        ("DELETE", "/permission-requests/a/b"),
        ("GET", "/permissions/other"),
        ("GET", "/permissions/available/a/b"),
        ("POST", "/permissions/available"),
    ] {
        let answer = gateway
            .admin()
            .request(method, target)
            .send()
            .await
            .expect(404);
        assert_eq!(answer.text(), "", "{method} {target}");
    }
}

#[tokio::test]
async fn a_missing_default_file_denies_unless_the_gateway_was_told_otherwise() {
    let directory = Home::new();
    let strict = Gateway::in_home(directory).by_environment().start().await;
    strict
        .guest()
        .get("/permissions/self")
        .await
        .expect_error(403, DENIED);
    let home = strict.kill().await;
    let options = Gateway::in_home(home).by_environment();
    let lenient = options
        .argument("--allow-missing-permissions")
        .start()
        .await;
    lenient
        .guest()
        .get("/permissions/available")
        .await
        .expect(200);
    // Once it is there, it decides.
    lenient
        .home()
        .write("latchkey/permissions.json", r#"{"rules": []}"#, 0o600);
    lenient
        .guest()
        .get("/permissions/available")
        .await
        .expect_error(403, DENIED);
}

#[tokio::test]
async fn the_environment_names_the_default_file() {
    let home = Home::new();
    let path = home.write("elsewhere.json", r#"{"rules": [{"any": ["any"]}]}"#, 0o600);
    let options = Gateway::in_home(home).by_environment();
    let gateway = options
        .environment("LATCHKEY_PERMISSIONS_CONFIG", path)
        .start()
        .await;
    gateway
        .guest()
        .get("/permissions/available")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_agent_may_ask_and_look_and_nothing_else() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    agent.get("/permissions/self").await.expect(200);
    agent.get("/permissions/available/slack").await.expect(200);
    let own = format!("/minds-api-proxy/api/v1/agents/{}/x", agent.id);
    assert_ne!(agent.get(&own).await.status, 403);
    for (method, target) in [
        ("GET", "/permission-requests"),
        ("GET", "/permission-requests?follow=true"),
        ("POST", "/permission-requests/"),
        ("POST", "/permission-requests/approve/x"),
        ("DELETE", "/permission-requests/x"),
        ("GET", "/permissions?path=latchkey_admin_permissions.json"),
        ("GET", "/permissions/available"),
        ("GET", "/permissions/available/"),
        (
            "GET",
            "/permissions/rules?path=latchkey_admin_permissions.json&rule_key=any",
        ),
        (
            "POST",
            "/permissions/rules?path=latchkey_admin_permissions.json&rule_key=any",
        ),
        ("GET", "/permissions/available/../../permission-requests"),
        (
            "GET",
            "/minds-api-proxy/api/v1/agents/agent-00000000000000000000000000000000/x",
        ),
        (
            "GET",
            &format!("/minds-api-proxy/api/v1/agents/{}", agent.id),
        ),
        ("GET", "/minds-api-proxy/api/v1/files/etc/passwd"),
    ] {
        agent
            .request(method, target)
            .send()
            .await
            .expect_error(403, DENIED);
    }
}

#[tokio::test]
async fn a_request_is_checked_at_the_gateways_own_address() {
    let gateway = Gateway::start().await;
    let schema = json!({
        "properties": {
            "protocol": {"const": "https"},
            "domain": {"const": "latchkey-self.invalid"},
            "port": {"const": 1},
            "method": {"const": "GET"},
            "path": {"const": "/permissions/self"},
            "queryParams": {"const": {"a": "2", "b c": "d"}},
        },
        "required": ["protocol", "domain", "port", "method", "path", "queryParams"],
    });
    let caller = bearer(&gateway, "exact.json", &allowing(schema));
    caller
        .get("/permissions/self?a=1&b+c=d&a=2")
        .await
        .expect(200);
    caller.get("/permissions/self?a=2").await.expect(403);
    caller.get("/permissions/self").await.expect(403);
}

#[tokio::test]
async fn no_header_that_concerns_the_gateway_or_the_connection_takes_part() {
    let gateway = Gateway::start().await;
    let names = [
        "host",
        "connection",
        "keep-alive",
        "te",
        "upgrade",
        "proxy-authorization",
        "x-named",
        "x-latchkey-gateway-password",
        "x-latchkey-gateway-permissions-override",
        "x-latchkey-gateway-account",
    ];
    let none: Vec<Value> = names
        .iter()
        .map(|name| json!({"not": {"required": [name]}}))
        .collect();
    let headers =
        json!({"allOf": none, "properties": {"x-kept": {"const": "a, b"}}, "required": ["x-kept"]});
    let caller = bearer(
        &gateway,
        "headers.json",
        &allowing(json!({"properties": {"headers": headers}, "required": ["headers"]})),
    );
    let answer = caller
        .request("GET", "/permissions/self")
        .header("X-Kept", "a")
        .header("X-Kept", "b")
        .header("Connection", "x-named, keep-alive")
        .header("X-Named", "1")
        .header("Keep-Alive", "timeout=5")
        .header("TE", "trailers")
        .header("Upgrade", "h2c")
        .header("Proxy-Authorization", "Basic eA==")
        .header("X-Latchkey-Gateway-Account", "me");
    answer.send().await.expect(200);
    caller.get("/permissions/self").await.expect(403);
}

#[tokio::test]
async fn no_body_takes_part() {
    let gateway = Gateway::start().await;
    let permissions =
        allowing(json!({"not": {"anyOf": [{"required": ["body"]}, {"required": ["parsedBody"]}]}}));
    let caller = bearer(&gateway, "bodiless.json", &permissions);
    caller
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
}

#[tokio::test]
async fn the_path_is_normalised_before_it_is_checked_and_served() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    for target in [
        "/x/../permissions/self",
        "/permissions/%2e%2e/permissions/self",
        "/permissions/./self",
        "/permissions\\self",
        "/permissions/available\\..\\self",
    ] {
        // hyper's client refuses a backslash, so the bytes are written by hand.
        let mut raw = gateway.raw().await;
        raw.send(format!(
            "GET {target} HTTP/1.1\r\nhost: x\r\n{}\r\n",
            agent.header_lines()
        ))
        .await;
        let answer = raw.answer().await.expect(200);
        assert!(
            answer.json().get("rules").is_some(),
            "{target}: {:?}",
            answer.json()
        );
    }
    for target in [
        "/permissions/self%2f",
        "/permissions%2fself",
        "/permissions/self/../../permission-requests",
    ] {
        agent.get(target).await.expect(403);
    }
}

#[tokio::test]
async fn the_first_rule_whose_scope_matches_decides() {
    let gateway = Gateway::start().await;
    let schemas = json!({
        "self": {"properties": {"path": {"const": "/permissions/self"}}, "required": ["path"]},
        "never": {"anyOf": []},
    });
    let rules = |rules: Value| json!({"schemas": schemas, "rules": rules});
    for (name, body, status) in [
        ("first", json!([{"self": ["never"]}, {"any": ["any"]}]), 403),
        (
            "second",
            json!([{"never": ["any"]}, {"self": ["any"]}]),
            200,
        ),
        ("empty", json!([{"self": []}, {"any": ["any"]}]), 403),
        ("vacuous", json!([{"self": {"schemas": []}}]), 200),
        ("no-rules", json!([]), 403),
        ("several", json!([{"self": ["never", "self"]}]), 200),
    ] {
        let caller = bearer(&gateway, &format!("{name}.json"), &rules(body));
        let answer = caller.get("/permissions/self").await;
        assert_eq!(answer.status, status, "{name}: {answer}");
    }
}

#[tokio::test]
async fn included_files_are_found_beside_the_one_that_names_them_and_count_first() {
    let gateway = Gateway::start().await;
    let home = gateway.home();
    home.permissions_file("parts/base.json", &json!({
        "schemas": {"this": {"anyOf": []}, "base": {"properties": {"path": {"const": "/permissions/self"}}, "required": ["path"]}},
        "rules": [{"base": ["this"]}],
    }));
    let own = json!({"include": ["parts/base.json"], "rules": [{"any": ["any"]}]});
    bearer(&gateway, "own.json", &own)
        .get("/permissions/self")
        .await
        .expect(403);
    let overriding = json!({"include": ["parts/base.json"], "schemas": {"this": {}}});
    let caller = bearer(&gateway, "overriding.json", &overriding);
    caller.get("/permissions/self").await.expect(200);
    caller.get("/permissions/available").await.expect(403);
    // `patterns` is another name of `schemas`.
    let pattern = json!({"patterns": {"this": {}}, "rules": [{"this": ["any"]}]});
    bearer(&gateway, "pattern.json", &pattern)
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_edited_file_counts_from_the_next_request_on() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    for round in 0..20 {
        fs::write(&agent.permissions, r#"{"rules": []}"#).unwrap();
        agent.get("/permissions/self").await.expect(403);
        fs::write(
            &agent.permissions,
            format!(r#"{{"rules": [{{"any": ["any"]}}]{}}}"#, " ".repeat(round)),
        )
        .unwrap();
        agent.get("/permissions/self").await.expect(200);
    }
}

#[tokio::test]
async fn a_permissions_file_that_cannot_be_used_denies_with_the_detail() {
    let gateway = Gateway::start().await;
    for (name, content, detail) in [
        ("text", "no JSON", "not valid JSON"),
        ("empty", "", "not valid JSON"),
        ("list", "[]", "#"),
        (
            "unknown",
            r#"{"rules": [{"no-such-scope": ["any"]}]}"#,
            "no-such-scope",
        ),
        (
            "permission",
            r#"{"rules": [{"any": ["no-such-permission"]}]}"#,
            "no-such-permission",
        ),
        (
            "two",
            r#"{"rules": [{"any": [], "slack-api": []}]}"#,
            "rules",
        ),
        ("key", r#"{"rules": [], "ruels": []}"#, "ruels"),
        (
            "property",
            r#"{"schemas": {"s": {"properties": {"pth": {}}}}, "rules": [{"s": ["any"]}]}"#,
            "pth",
        ),
        ("circle", r#"{"include": ["circle.json"]}"#, "circle.json"),
    ] {
        let path = gateway.home().write(
            &format!("latchkey/mngr_latchkey/{name}.json"),
            content,
            0o600,
        );
        let answer = gateway
            .bearer_of(&path)
            .get("/permissions/self")
            .await
            .expect(403);
        let error = answer.error();
        assert!(
            error.starts_with("Error: Permission check failed: "),
            "{answer}"
        );
        assert!(
            error.contains(detail) && error.contains(&format!("{name}.json")),
            "{answer}"
        );
    }
    gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_broken_schema_that_no_rule_uses_is_harmless() {
    let gateway = Gateway::start().await;
    let permissions = json!({"schemas": {"broken": {"properties": {"path": {"pattern": "("}}}}, "rules": [{"any": ["any"]}]});
    bearer(&gateway, "unused.json", &permissions)
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn every_name_of_the_catalog_is_known_to_the_check() {
    let gateway = Gateway::start().await;
    let catalog = gateway
        .admin()
        .get("/permissions/available")
        .await
        .expect(200)
        .json();
    let mut rules: Vec<Value> = Vec::new();
    for entry in catalog
        .as_object()
        .unwrap()
        .values()
        .flat_map(|entries| entries.as_array().unwrap())
    {
        let names: Vec<&Value> = entry["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|permission| &permission["name"])
            .collect();
        rules.push(json!({entry["scope"].as_str().unwrap(): names}));
    }
    assert!(rules.len() >= 28, "{} scopes", rules.len());
    rules.push(json!({"any": ["any"]}));
    bearer(&gateway, "all.json", &json!({"rules": rules}))
        .get("/permissions/self")
        .await
        .expect(200);
}

#[tokio::test]
async fn builtin_schemas_can_be_left_out() {
    let home = Home::new();
    home.write(
        "latchkey/permissions.json",
        r#"{"rules": [{"slack-api": []}, {"any": ["any"]}]}"#,
        0o600,
    );
    let options = Gateway::in_home(home).by_environment();
    let gateway = options
        .environment("LATCHKEY_PERMISSIONS_DO_NOT_USE_BUILTIN_SCHEMAS", "1")
        .start()
        .await;
    let answer = gateway
        .guest()
        .get("/permissions/available")
        .await
        .expect(403);
    assert!(answer.error().contains("slack-api"), "{answer}");
}

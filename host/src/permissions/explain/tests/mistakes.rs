//! Advice: that it is given, and that it helps when it is followed.

use serde_json::{Value, json};
use url::Url;

use super::super::mistakes::Change;
use super::{Advice, Answer, Engine, Hooks, Mistake, Sandbox, only_advice, path_schema, request};
use crate::permissions::BuiltinSchemas;

const GATEWAY: &str = crate::permissions::GATEWAY_ORIGIN;

/// Adds to the permissions of a rule, which stand beside its hooks if it has any.
fn add(body: &mut Value, permission: &str) {
    let list = if body.is_object() {
        &mut body["schemas"]
    } else {
        body
    };
    list.as_array_mut().expect("a list").push(json!(permission));
}

/// Follows a change of the file.
fn follow(file: &mut Value, change: &Change) {
    match change {
        Change::Schema {
            schema,
            place,
            value,
        } => {
            let pointer = format!("/schemas/{schema}{}", place.trim_start_matches('#'));
            *file.pointer_mut(&pointer).expect("the place exists") = value.clone();
        }
        Change::AddPermission { rule, permission } => {
            add(&mut file["rules"][rule.index][&rule.scope], permission);
        }
        Change::MoveRule { rule, before } => {
            let rules = file["rules"].as_array_mut().expect("a list");
            let moved = rules.remove(rule.index);
            rules.insert(before.index, moved);
        }
        Change::Grant { scope, permission } => {
            let rules = file["rules"].as_array_mut().expect("a list");
            match rules.iter_mut().find_map(|rule| rule.get_mut(scope)) {
                Some(body) => add(body, permission),
                None => rules.push(json!({scope: [permission]})),
            }
        }
        Change::Request { .. } => {}
    }
}

/// Every change that is proposed lets the request through, each by itself.
pub(super) async fn check_changes(file: &Value, method: &str, url: &str, advice: &Advice) {
    assert!(!advice.changes.is_empty(), "{advice:?}");
    for change in &advice.changes {
        let mut file = file.clone();
        follow(&mut file, change);
        let (mut method, mut url) = (method.to_owned(), Url::parse(url).expect("a URL"));
        if let Change::Request { property, value } = change {
            let value = value.as_str().expect("text");
            match *property {
                "method" => value.clone_into(&mut method),
                "path" => url.set_path(value),
                "protocol" => url.set_scheme(value).expect("a scheme"),
                other => panic!("{other}"),
            }
        }
        let explanation = Sandbox::new(&file).explain(&method, url.as_str()).await;
        assert_eq!(explanation.verdict, Answer::Allow, "{change:?}");
    }
}

#[tokio::test]
async fn an_earlier_rule_that_shadows_is_named_with_what_to_do_about_it() {
    let url = "https://api.notion.com/v1/pages/1";
    let file = json!({"rules": [{"notion-api": ["notion-write-all"]}, {"notion-api": ["notion-read-all"]}]});
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let shadowed = explanation
        .advice
        .iter()
        .find(|advice| advice.mistake == Mistake::Shadowed);
    let advice = shadowed.expect("advice");
    assert!(
        advice.sentence.contains("rule 1 (scope \"notion-api\")")
            && advice
                .sentence
                .contains("add \"notion-read-all\" to rule 0"),
        "{}",
        advice.sentence
    );
    assert_eq!(advice.changes.len(), 2);
    check_changes(&file, "GET", url, advice).await;

    // A rule that lists nothing is there to deny.
    let file = json!({"rules": [{"notion-api": []}, {"any": ["any"]}]});
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let advice = only_advice(&explanation, Mistake::Shadowed);
    assert!(
        advice.sentence.contains("is meant to deny"),
        "{}",
        advice.sentence
    );
    check_changes(&file, "GET", url, advice).await;
}

#[tokio::test]
async fn another_percent_encoding_is_found_on_either_side() {
    for (pattern, url) in [
        ("^/a$", "https://example.com/%61"),
        ("^/a%2fb$", "https://example.com/a%2Fb"),
        ("^/a%2Fb$", "https://example.com/a%2fb"),
        ("^/user%40host$", "https://example.com/user@host"),
        ("^/a/b$", "https://example.com/a%2Fb"),
        (
            "^/caf\u{e9} au lait$",
            "https://example.com/caf\u{e9} au lait",
        ),
        ("^/caf\u{e9}/[^/]+$", "https://example.com/caf\u{e9}/x"),
    ] {
        let file = json!({"schemas": {"x": path_schema(pattern)}, "rules": [{"any": ["x"]}]});
        let explanation = Sandbox::new(&file).explain("GET", url).await;
        let advice = only_advice(&explanation, Mistake::PercentEncoding);
        assert!(
            advice.sentence.contains("percent-encod"),
            "{}",
            advice.sentence
        );
        check_changes(&file, "GET", url, advice).await;
    }
}

#[tokio::test]
async fn a_slash_too_many_or_too_few_is_found() {
    for (pattern, url) in [
        ("^/a$", "https://example.com/a/"),
        ("^/a/$", "https://example.com/a"),
    ] {
        let file = json!({"schemas": {"x": path_schema(pattern)}, "rules": [{"any": ["x"]}]});
        let explanation = Sandbox::new(&file).explain("GET", url).await;
        let advice = only_advice(&explanation, Mistake::TrailingSlash);
        assert!(
            advice
                .sentence
                .contains("put \"^/a/?$\" at #/properties/path/pattern"),
            "{}",
            advice.sentence
        );
        assert_eq!(advice.changes.len(), 2);
        check_changes(&file, "GET", url, advice).await;
    }
}

#[tokio::test]
async fn other_methods_that_are_allowed_are_named() {
    for methods in [json!({"enum": ["GET", "HEAD"]}), json!({"const": "GET"})] {
        let file = json!({"schemas": {"x": {"properties": {"method": methods}}}, "rules": [{"any": ["x"]}]});
        let url = "https://example.com/a";
        let explanation = Sandbox::new(&file).explain("PUT", url).await;
        let advice = only_advice(&explanation, Mistake::Method);
        assert!(
            advice.sentence.starts_with("PUT is not allowed here, GET"),
            "{}",
            advice.sentence
        );
        check_changes(&file, "PUT", url, advice).await;
    }
    let file = json!({"rules": [{"notion-api": ["notion-read-all"]}]});
    let url = "https://api.notion.com/v1/pages/1";
    let explanation = Sandbox::new(&file).explain("PATCH", url).await;
    let advice = only_advice(&explanation, Mistake::Method);
    assert!(
        advice
            .sentence
            .contains("\"notion-write-pages\" under \"notion-api\""),
        "{}",
        advice.sentence
    );
    check_changes(&file, "PATCH", url, advice).await;
}

#[tokio::test]
async fn a_missing_scope_is_looked_up_in_the_catalog() {
    let file = json!({"rules": [{"slack-api": ["slack-read-all"]}]});
    let url = "https://api.notion.com/v1/pages/1";
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let advice = only_advice(&explanation, Mistake::MissingScope);
    assert!(
        advice
            .sentence
            .contains("grant \"notion-read-pages\" under it"),
        "{}",
        advice.sentence
    );
    check_changes(&file, "GET", url, advice).await;

    let explanation = Sandbox::new(&file)
        .explain("GET", "http://api.notion.com/v1/pages/1")
        .await;
    let advice = only_advice(&explanation, Mistake::MissingScope);
    assert!(
        advice.sentence.contains("https only"),
        "{}",
        advice.sentence
    );

    let explanation = Sandbox::new(&file)
        .explain("GET", "https://example.com/")
        .await;
    let advice = only_advice(&explanation, Mistake::MissingScope);
    assert!(
        advice.sentence.contains("{\"const\": \"example.com\"}"),
        "{}",
        advice.sentence
    );
}

#[tokio::test]
async fn a_permission_that_is_missing_from_the_rule_that_decides_is_named() {
    let url = "https://api.notion.com/v1/pages/1";
    let file = json!({"rules": [{"notion-api": []}]});
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let advice = only_advice(&explanation, Mistake::MissingPermission);
    assert!(
        advice
            .sentence
            .contains("grant \"notion-read-pages\" under \"notion-api\""),
        "{}",
        advice.sentence
    );
    check_changes(&file, "GET", url, advice).await;

    // Under a scope of its own the grant would come too late.
    let file = json!({"rules": [{"any": []}]});
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let obstacle = explanation.grants[0]
        .obstacle
        .as_ref()
        .expect("a rule in the way");
    assert_eq!(&*obstacle.scope, "any");
    let advice = only_advice(&explanation, Mistake::MissingPermission);
    check_changes(&file, "GET", url, advice).await;
}

#[tokio::test]
async fn the_permission_that_allows_least_comes_first() {
    let explanation = Sandbox::new(&json!({}))
        .explain("GET", "https://slack.com/api/chat.getPermalink")
        .await;
    let [grant] = explanation.grants.as_slice() else {
        panic!("{:?}", explanation.grants);
    };
    assert_eq!(&*grant.scope, "slack-api");
    assert!(
        grant.wider.contains(&"slack-read-all".to_owned()),
        "{grant:?}"
    );
    assert_ne!(&*grant.permission, "slack-read-all");
}

#[tokio::test]
async fn the_gateways_own_routes_are_explained_by_what_agents_have_and_can_ask_for() {
    let baseline = Value::Object(crate::store::baseline::agent_baseline());
    let agent = "agent-0123456789abcdef0123456789abcdef";
    let cases = [
        ("GET", "/permission-requests", "admin-jwt"),
        ("POST", "/permissions/rules?path=x&rule_key=y", "admin-jwt"),
        ("GET", "/elsewhere", "define a schema for GET /elsewhere"),
        (
            "PUT",
            "/minds-api-proxy/api/v1/files/home/a%20b",
            "WRITE access to \"/home/a b\"",
        ),
        (
            "COPY",
            "/minds-api-proxy/api/v1/files/home/a",
            "COPY is never granted",
        ),
        (
            "GET",
            &format!("/minds-api-proxy/api/v1/agents/{agent}/x"),
            "register-agent",
        ),
        (
            "GET",
            "/minds-api-proxy/api/v1/agents/me/x",
            "names no agent",
        ),
    ];
    for (method, target, expected) in cases {
        let url = format!("{GATEWAY}{target}");
        let explanation = Sandbox::new(&baseline).explain(method, &url).await;
        assert_eq!(explanation.verdict, Answer::Deny);
        let told = explanation
            .advice
            .iter()
            .find(|advice| advice.mistake == Mistake::OwnRoute);
        let sentence = &told.expect(target).sentence;
        assert!(sentence.contains(expected), "{method} {target}: {sentence}");
        assert!(explanation.grants.is_empty());
    }

    let mut file = baseline.clone();
    file["rules"][1]["latchkey-self"]
        .as_array_mut()
        .expect("a list")
        .remove(1);
    let url = format!("{GATEWAY}/permissions/self");
    let explanation = Sandbox::new(&file).explain("GET", &url).await;
    let advice = only_advice(&explanation, Mistake::OwnRoute);
    check_changes(&file, "GET", &url, advice).await;
    let explanation = Sandbox::new(&json!({})).explain("GET", &url).await;
    let advice = only_advice(&explanation, Mistake::OwnRoute);
    assert!(
        advice.sentence.contains("create-agent-env"),
        "{}",
        advice.sentence
    );
}

#[tokio::test]
async fn the_default_file_is_told_from_a_file_that_lacks_something() {
    let sandbox = Sandbox::new(&json!({}));
    let path = sandbox
        .path()
        .with_file_name("latchkey_default_permissions.json");
    std::fs::write(&path, "{\"rules\": []}").expect("written");
    let engine = Engine::new(BuiltinSchemas::standard());
    let get = request("GET", "https://api.notion.com/v1/pages/1");
    let explanation = engine.explain(&path, &get, Hooks::Run).await;
    let advice = only_advice(&explanation, Mistake::NoOverride);
    assert!(
        advice
            .sentence
            .contains("X-Latchkey-Gateway-Permissions-Override"),
        "{}",
        advice.sentence
    );
    assert!(explanation.grants.is_empty());
}

#[tokio::test]
async fn a_rule_with_hooks_keeps_them_when_a_permission_is_added() {
    let file = json!({
        "schemas": {"a": path_schema("^/a$"), "b": path_schema("^/b$")},
        "rules": [{"any": {"hooks": ["true"], "schemas": ["b"]}}, {"a": ["a"]}],
    });
    let url = "https://example.com/a";
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let advice = only_advice(&explanation, Mistake::Shadowed);
    check_changes(&file, "GET", url, advice).await;
}

#[tokio::test]
async fn everything_is_not_proposed_where_a_file_has_made_less_of_it() {
    let scope = "notion-api";
    let file = json!({"schemas": {"any": {"not": {}}}, "rules": [{scope: []}]});
    let url = "https://api.notion.com/nothing-like-this";
    let explanation = Sandbox::new(&file).explain("GET", url).await;
    let advice = only_advice(&explanation, Mistake::MissingPermission);
    assert!(advice.changes.is_empty(), "{advice:?}");
    assert!(explanation.grants.is_empty(), "{:?}", explanation.grants);
}

#[tokio::test]
async fn what_is_lacking_beside_a_hook_that_denies_is_said_too() {
    let body = |permission: &str| json!({"hooks": ["false"], "schemas": [permission]});
    for (permission, expected) in [
        ("notion-read-all", vec![Mistake::Hook, Mistake::Method]),
        ("notion-write-all", vec![Mistake::Hook]),
    ] {
        let file = json!({"rules": [{"notion-api": body(permission)}]});
        let url = "https://api.notion.com/v1/pages/1";
        let explanation = Sandbox::new(&file).explain("PATCH", url).await;
        let mistakes: Vec<_> = explanation.advice.iter().map(|told| told.mistake).collect();
        assert_eq!(mistakes, expected, "{:?}", explanation.advice);
    }
}

#[tokio::test]
async fn a_file_is_named_so_that_sharing_what_is_named_shares_it() {
    let baseline = Value::Object(crate::store::baseline::agent_baseline());
    for (file, named) in [
        ("d/my%20files/%C3%A9", "/d/my files/\u{e9}"),
        ("d/x%3Fy%23z/", "/d/x?y#z"),
        ("d/100%25", "/d/100%25"),
        ("d/a%2Fb", "/d/a%2Fb"),
        ("d/%c3%a9", "/d/%c3%a9"),
        ("d/a%0Ab%5Cc", "/d/a%0Ab%5Cc"),
        ("d/%FF", "/d/%FF"),
    ] {
        let url = format!("{GATEWAY}/minds-api-proxy/api/v1/files/{file}");
        let explanation = Sandbox::new(&baseline).explain("GET", &url).await;
        let path = explanation.file_access.map(|access| access.path);
        assert_eq!(path.as_deref(), Some(named), "{file}");
    }
}

//! Schemas of a file: broken ones, references, and properties that no request has.

use serde_json::json;
use url::Url;

use super::super::{Decision, Request};
use super::{Sandbox, URL, path_schema};

#[tokio::test]
async fn a_broken_schema_is_harmless_until_a_rule_uses_it() {
    let sandbox = Sandbox::new();
    let broken = json!({"bad": path_schema("("), "typo": {"properties": {"hots": {}}}});
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["any"]}]}),
    );
    assert!(sandbox.allows(URL).await);
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["typo"]}]}),
    );
    assert!(sandbox.failure(URL).await.contains("\"hots\""));
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["bad"]}]}),
    );
    let failure = sandbox.failure(URL).await;
    assert!(
        failure.contains("\"bad\"") && failure.contains("'pattern'"),
        "{failure}"
    );
    // Where no request leads, a broken pattern does not stand in the way; a new file may not have one all the same.
    let content = json!({"schemas": broken, "rules": [{"any": ["any"]}, {"bad": []}]}).to_string();
    sandbox.write("root.json", &content);
    assert!(sandbox.allows(URL).await);
    let root = sandbox.path("root.json");
    assert!(sandbox.engine.check(&root, content.as_bytes()).is_err());
    assert_eq!(
        sandbox
            .engine
            .check(&root, b"{\"rules\": [{\"any\": [\"any\"]}]}"),
        Ok(())
    );
}

#[tokio::test]
async fn unknown_properties_are_found_in_combinations_and_references() {
    let sandbox = Sandbox::new();
    let bad = json!({"properties": {"url": {}}});
    for schema in [
        json!({"anyOf": [{}, bad]}),
        json!({"oneOf": [bad]}),
        json!({"allOf": [{"not": {"if": bad}}]}),
        json!({"then": bad}),
        json!({"else": bad}),
        json!({"$ref": "#/$defs/bad"}),
    ] {
        sandbox.write(
            "root.json",
            json!({"schemas": {"x": schema, "bad": bad}, "rules": [{"any": ["x"]}]}),
        );
        assert!(sandbox.failure(URL).await.contains("\"url\""), "{schema}");
    }
    // Below the request the names are free.
    let nested = json!({"properties": {"headers": {"properties": {"url": {}}}}});
    sandbox.write(
        "root.json",
        json!({"schemas": {"x": nested}, "rules": [{"any": ["x"]}]}),
    );
    assert!(sandbox.allows(URL).await);
}

#[tokio::test]
async fn schemas_refer_to_one_another() {
    let sandbox = Sandbox::new();
    let account = json!({"properties": {"customMetadata": {"type": "object",
        "properties": {"account": {"const": "a@b"}}, "required": ["account"]}}, "required": ["customMetadata"]});
    sandbox.write(
        "root.json",
        json!({
            "schemas": {
                "base": path_schema("^/a"),
                "base:a@b": {"allOf": [{"$ref": "#/$defs/base"}, account]},
                "reach": {"properties": {"path": {"$ref": "#/$defs/base/properties/path"}}},
                "own": {"$defs": {"base": {"not": {}}}, "$ref": "#/$defs/base"},
            },
            "rules": [{"base:a@b": ["any"]}, {"own": ["any"]}, {"reach": []}, {"any": ["any"]}],
        }),
    );
    let request = |path: &str, account: Option<&str>| {
        let url = Url::parse("https://example.com")
            .and_then(|url| url.join(path))
            .expect("a URL");
        let metadata = account.map(|account| {
            [("account".to_owned(), json!(account))]
                .into_iter()
                .collect()
        });
        Request::new("GET", &url, std::iter::empty(), None, metadata)
    };
    for (path, account, decision) in [
        ("/a", Some("a@b"), Decision::Allowed),
        ("/a", Some("other"), Decision::Denied),
        ("/a", None, Decision::Denied),
        ("/b", None, Decision::Allowed),
    ] {
        assert_eq!(
            sandbox.decide(&request(path, account)).await,
            Ok(decision),
            "{path} {account:?}"
        );
    }
    sandbox.write(
        "root.json",
        json!({"schemas": {"x": {"$ref": "nope"}}, "rules": [{"any": ["x"]}]}),
    );
    assert!(sandbox.failure(URL).await.contains("nope"));
}

#[tokio::test]
async fn references_in_a_circle_are_a_failure_and_take_no_time() {
    let sandbox = Sandbox::new();
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/x"}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
    ] {
        sandbox.write(
            "root.json",
            json!({"schemas": {"x": schema}, "rules": [{"any": ["x"]}]}),
        );
        let failure = sandbox.failure(URL).await;
        assert!(
            failure.contains("\"x\"") && failure.contains("circle"),
            "{schema}: {failure}"
        );
    }
}

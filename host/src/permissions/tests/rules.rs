//! Which rule decides, and what a rule may name.

use serde_json::{Value, json};

use super::super::{BuiltinSchemas, DecidingRule, Decision, Engine, Verdict};
use super::{Sandbox, URL, get, path_schema};

#[tokio::test]
async fn the_first_rule_whose_scope_matches_decides() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "root.json",
        json!({
            "schemas": {"a": path_schema("^/a"), "ab": path_schema("^/ab"), "b": path_schema("^/b")},
            "rules": [{"a": ["ab"]}, {"b": []}, {"any": ["any"]}],
        }),
    );
    for (path, allowed) in [("/ab", true), ("/ac", false), ("/b", false), ("/c", true)] {
        assert_eq!(
            sandbox.allows(&format!("https://example.com{path}")).await,
            allowed,
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_is_allowed_without_a_rule() {
    let sandbox = Sandbox::new();
    assert!(!sandbox.allows(URL).await, "the file is missing");
    for content in ["{}", r#"{"rules": []}"#, r#"{"schemas": {}}"#] {
        sandbox.write("root.json", content);
        assert!(!sandbox.allows(URL).await, "{content}");
    }
}

#[tokio::test]
async fn rules_that_name_their_domains_keep_their_place() {
    let domain = |value: Value| json!({"properties": {"domain": value}});
    let sandbox = Sandbox::new();
    sandbox.write(
        "root.json",
        json!({
            "schemas": {
                "one": domain(json!({"const": "one.com"})),
                "some": domain(json!({"enum": ["one.com", "two.com", "two.com"]})),
                "by-reference": {"allOf": [{"$ref": "#/$defs/three"}, path_schema("^/a")]},
                "three": domain(json!({"const": "three.com"})),
                "admin": path_schema("^/admin"),
                "nowhere": domain(json!({"const": 5})),
            },
            "rules": [{"admin": []}, {"nowhere": []}, {"one": ["any"]}, {"some": []},
                      {"by-reference": ["any"]}, {"three": []}, {"any": ["any"]}],
        }),
    );
    for (url, allowed) in [
        ("https://one.com/", true),
        ("https://one.com/admin", false),
        ("https://two.com/", false),
        ("https://three.com/a", true),
        ("https://three.com/b", false),
        ("https://four.com/", true),
    ] {
        assert_eq!(sandbox.allows(url).await, allowed, "{url}");
    }
}

#[tokio::test]
async fn a_name_that_nothing_defines_fails_its_file_only() {
    let sandbox = Sandbox::new();
    for rule in [
        json!({"nope": []}),
        json!({"any": ["nope"]}),
        json!({"any": {"schemas": ["nope"]}}),
    ] {
        sandbox.write("root.json", json!({"rules": [{"any": ["any"]}, rule]}));
        let failure = sandbox.failure(URL).await;
        assert!(
            failure.contains("\"nope\"") && failure.contains("rule 1"),
            "{failure}"
        );
    }
    sandbox.write("root.json", json!({"rules": [{"any": ["any"]}]}));
    assert!(sandbox.allows(URL).await);
}

#[tokio::test]
async fn without_builtin_schemas_not_even_any_exists() {
    let mut sandbox = Sandbox::new();
    sandbox.engine = Engine::new(BuiltinSchemas::none());
    sandbox.write("root.json", json!({"rules": [{"any": ["any"]}]}));
    assert!(sandbox.failure(URL).await.contains("\"any\""));
}

#[tokio::test]
async fn a_verdict_names_the_rule_that_decided_and_the_permission_that_matched() {
    let sandbox = Sandbox::new();
    sandbox
        .write(
            "shared.json",
            json!({
                "schemas": {"files": path_schema("^/files"), "reading": path_schema("^/files/r"), "other": path_schema("^/o")},
                "rules": [{"other": {"hooks": ["./deny"]}}, {"files": ["other", "reading"]}]
            }),
        )
        .script("deny", "#!/bin/sh\nexit 1\n")
        .write("root.json", json!({"include": ["shared.json"], "rules": [{"files": ["any"]}]}));
    let shared = sandbox.path("shared.json");
    for (url, decision, rule, matched, denied_by) in [
        (
            "https://e.de/files/r",
            Decision::Allowed,
            Some((1, "files")),
            Some("reading"),
            None,
        ),
        (
            "https://e.de/files/w",
            Decision::Denied,
            Some((1, "files")),
            None,
            None,
        ),
        (
            "https://e.de/o",
            Decision::Denied,
            Some((0, "other")),
            None,
            Some("./deny"),
        ),
        ("https://e.de/", Decision::Denied, None, None, None),
    ] {
        let config = sandbox.path("root.json");
        let verdict = sandbox.engine.judge(&config, &get(url)).await;
        let rule = rule.map(|(index, scope)| DecidingRule {
            index,
            scope: scope.into(),
            file: shared.as_path().into(),
        });
        let expected = Verdict {
            decision,
            rule,
            matched: matched.map(Into::into),
            denied_by: denied_by.map(Into::into),
        };
        assert_eq!(verdict, Ok(expected), "{url}");
    }
}

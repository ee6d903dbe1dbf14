//! For any rules and requests: an explanation ends as a decision does, and every change that it proposes helps.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::mistakes::check_changes;
use super::{Answer, Decision, Engine, RuleOutcome, Sandbox, request};
use crate::permissions::BuiltinSchemas;

fn schemas() -> Value {
    json!({
        "a": {"properties": {"path": {"pattern": "^/a/?$"}}, "required": ["path"]},
        "slash": {"properties": {"path": {"pattern": "^/a/$"}, "method": {"enum": ["GET", "HEAD"]}}},
        "decoded": {"properties": {"path": {"pattern": "^/\u{e9} [^/]*$"}}},
        "encoded": {"properties": {"path": {"const": "/a%2Fb"}, "method": {"const": "PUT"}}},
        "secure": {"properties": {"protocol": {"const": "https"}}},
        "host": {"properties": {"domain": {"const": "example.com"}}},
        "deep": {"anyOf": [{"$ref": "#/$defs/slash"}, {"not": {"$ref": "#/$defs/host"}}]},
        "broken": {"properties": {"path": {"pattern": "("}}},
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "slash", "decoded", "encoded", "secure", "host", "deep", "any"]),
        3 => prop::sample::select(vec!["notion-api", "notion-read-all", "notion-read-pages", "notion-write-all", "slack-api"]),
        1 => prop::sample::select(vec!["broken", "latchkey-self"]),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    (name(), prop::collection::vec(name(), 0..3), 0..12).prop_map(|(scope, permissions, hooks)| {
        match hooks {
            0 => json!({scope: {"hooks": ["true"], "schemas": permissions}}),
            1 => json!({scope: {"hooks": ["true"]}}),
            _ => json!({scope: permissions}),
        }
    })
}

fn url() -> impl Strategy<Value = String> {
    let origin = prop::sample::select(vec![
        "https://example.com",
        "http://example.com",
        "https://api.notion.com",
        "http://api.notion.com",
        "https://latchkey-self.invalid:1",
    ]);
    let path = prop::sample::select(vec![
        "/a",
        "/a/",
        "/%61",
        "/a%2fb",
        "/a%2Fb",
        "/%C3%A9%20x",
        "/v1/pages/1",
        "/v1/pages/1/",
        "/permissions/self",
        "/",
    ]);
    (origin, path).prop_map(|(origin, path)| format!("{origin}{path}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn an_explanation_agrees_with_the_decision_and_its_advice_helps(
        rules in prop::collection::vec(rule(), 0..5),
        method in prop::sample::select(vec!["GET", "PUT", "DELETE"]),
        url in url(),
    ) {
        let mut schemas = schemas();
        schemas["latchkey-self"] = json!({"properties": {"domain": {"const": "latchkey-self.invalid"}}});
        let file = json!({"schemas": schemas, "rules": rules});
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let sandbox = Sandbox::new(&file);
            let engine = Engine::new(BuiltinSchemas::standard());
            let decision = engine.decide(&sandbox.path(), &request(method, &url)).await;
            let explanation = sandbox.explain(method, &url).await;
            let expected = match &decision {
                Ok(Decision::Allowed) => Answer::Allow,
                Ok(Decision::Denied) => Answer::Deny,
                Err(_) => Answer::Error,
            };
            assert_eq!(explanation.verdict, expected, "{:?}", explanation.error);
            assert_eq!(explanation.error, decision.err().map(|error| error.to_string()));
            let steps = explanation.rules.iter();
            let ends = steps.filter(|rule| matches!(rule.outcome, RuleOutcome::Decides | RuleOutcome::Failed));
            assert!(ends.count() <= 1);
            if explanation.verdict == Answer::Deny {
                assert!(!explanation.advice.is_empty(), "nothing to say");
            } else {
                assert!(explanation.advice.is_empty());
            }
            for advice in explanation.advice.iter().filter(|advice| !advice.changes.is_empty()) {
                check_changes(&file, method, &url, advice).await;
            }
        });
    }
}

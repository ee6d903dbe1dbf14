//! Explanations of whole files: the steps and the verdict, and what stays hidden.

mod mistakes;
mod properties;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::permissions::BuiltinSchemas;

struct Sandbox(TempDir);

impl Sandbox {
    fn new(file: &Value) -> Self {
        let sandbox = Self(TempDir::new().expect("a directory"));
        sandbox.write(file);
        sandbox
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("root.json")
    }

    fn write(&self, file: &Value) {
        fs::write(self.path(), file.to_string()).expect("written");
    }

    async fn explain_with(&self, request: &Request, hooks: Hooks) -> Explanation {
        let engine = Engine::new(BuiltinSchemas::standard());
        engine.explain(&self.path(), request, hooks).await
    }

    async fn explain(&self, method: &str, url: &str) -> Explanation {
        self.explain_with(&request(method, url), Hooks::Run).await
    }
}

fn request(method: &str, url: &str) -> Request {
    let url = Url::parse(url).expect("a URL");
    Request::new(method, &url, std::iter::empty(), None, None)
}

fn path_schema(pattern: &str) -> Value {
    json!({"properties": {"path": {"type": "string", "pattern": pattern}}, "required": ["path"]})
}

#[track_caller]
fn only_advice(explanation: &Explanation, mistake: Mistake) -> &Advice {
    assert_eq!(explanation.verdict, Answer::Deny, "{:?}", explanation.error);
    match explanation.advice.as_slice() {
        [advice] if advice.mistake == mistake => advice,
        other => panic!("{other:#?}"),
    }
}

#[tokio::test]
async fn every_rule_is_told_with_the_reasons_for_which_it_does_not_decide() {
    let sandbox = Sandbox::new(&json!({
        "schemas": {"a": path_schema("^/a$"), "get": {"properties": {"method": {"enum": ["GET", "HEAD"]}}}},
        "rules": [{"notion-api": []}, {"any": ["a", "get"]}, {"any": ["any"]}],
    }));
    let explanation = sandbox.explain("PUT", "https://example.com/b").await;
    let outcomes: Vec<_> = explanation.rules.iter().map(|rule| rule.outcome).collect();
    assert_eq!(
        outcomes,
        [
            RuleOutcome::Passed,
            RuleOutcome::Decides,
            RuleOutcome::NotReachedButAllows
        ]
    );
    let domain = &explanation.rules[0].reasons[0];
    assert_eq!(
        domain.to_string(),
        "domain: \"example.com\" is not \"api.notion.com\""
    );
    assert_eq!(
        (&*domain.schema, &*domain.place),
        ("notion-api", "#/properties/domain/const")
    );
    let permissions = explanation.rules[1]
        .permissions
        .as_ref()
        .expect("permissions");
    let told: Vec<_> = permissions
        .iter()
        .map(|permission| {
            format!(
                "{}: {} {}",
                permission.name, permission.matches, permission.reasons[0]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "a: false path: \"/b\" does not match ^/a$",
            "get: false method: \"PUT\" is not one of GET, HEAD"
        ]
    );
    let rule = explanation.rule.expect("a rule");
    assert_eq!((rule.index, &*rule.scope), (1, "any"));
}

#[tokio::test]
async fn what_is_secret_by_its_name_is_nowhere_in_an_explanation() {
    let sandbox = Sandbox::new(&json!({
        "schemas": {"x": {"properties": {
            "headers": {"properties": {"authorization": {"const": "x"}, "x-plain": {"const": "y"}}},
            "queryParams": {"properties": {"api_key": {"const": "z"}}}}}},
        "rules": [{"any": ["x"]}],
    }));
    let headers = [
        "Authorization",
        "Cookie",
        "X-Latchkey-Gateway-Password",
        "X-Api-Key",
        "X-Auth",
        "X-Session-Id",
        "My-Token",
    ];
    let headers = headers.iter().map(|name| (*name, b"s3cret".as_slice()));
    let url = Url::parse(
        "https://example.com/?api_key=s3cret&sig=s3cret&code=s3cret&X-Amz-Credential=s3cret",
    );
    let url = url.expect("a URL");
    let plain = [("x-plain", b"shown".as_slice())];
    let request = Request::new("GET", &url, headers.chain(plain), None, None);
    let explanation = sandbox.explain_with(&request, Hooks::Run).await;
    let text = serde_json::to_string(&explanation).expect("JSON");
    assert!(!text.contains("s3cret"), "{text}");
    assert!(
        text.contains("<hidden>") && text.contains("shown"),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_decide_is_explained_by_what_is_wrong_with_it() {
    let sandbox = Sandbox::new(&json!({"rules": [{"any": ["nothing-known"]}]}));
    let explanation = sandbox.explain("GET", "https://example.com/").await;
    assert_eq!(explanation.verdict, Answer::Error);
    let error = explanation.error.expect("an error");
    assert!(error.contains("nothing-known"), "{error}");
    sandbox.write(&json!({
        "schemas": {"bad": path_schema("(")},
        "rules": [{"notion-api": []}, {"bad": []}, {"any": ["any"]}],
    }));
    let explanation = sandbox.explain("GET", "https://example.com/").await;
    assert_eq!(explanation.verdict, Answer::Error);
    let outcomes: Vec<_> = explanation.rules.iter().map(|rule| rule.outcome).collect();
    assert_eq!(
        outcomes,
        [
            RuleOutcome::Passed,
            RuleOutcome::Failed,
            RuleOutcome::NotReachedButAllows
        ]
    );
    assert!(explanation.advice.is_empty());
}

#[tokio::test]
async fn hooks_are_told_one_by_one_and_left_out_on_demand() {
    let file =
        json!({"rules": [{"any": {"hooks": ["true", "false", "true"], "schemas": ["any"]}}]});
    let sandbox = Sandbox::new(&file);
    let outcomes = |explanation: &Explanation| {
        let hooks = explanation.rules[0].hooks.iter();
        hooks.map(|hook| hook.outcome).collect::<Vec<_>>()
    };
    let explanation = sandbox.explain("GET", "https://example.com/").await;
    only_advice(&explanation, Mistake::Hook);
    assert_eq!(
        outcomes(&explanation),
        [
            HookOutcome::Passed,
            HookOutcome::Denied,
            HookOutcome::NotRun
        ]
    );
    let get = request("GET", "https://example.com/");
    let explanation = sandbox.explain_with(&get, Hooks::Skip).await;
    assert_eq!(explanation.verdict, Answer::Error);
    assert_eq!(outcomes(&explanation), [HookOutcome::NotRun; 3]);
    // Where no permission matches, hooks that pass could not change that.
    sandbox.write(&json!({"schemas": {"a": path_schema("^/a$")},
        "rules": [{"any": {"hooks": ["true"], "schemas": ["a"]}}]}));
    let explanation = sandbox.explain_with(&get, Hooks::Skip).await;
    assert_eq!(explanation.verdict, Answer::Deny);
}

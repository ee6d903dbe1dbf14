//! Findings about rules and names, and what all of these tests are made with.

mod restrictions;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Code, Finding, lint};
use crate::permissions::BuiltinSchemas;
use crate::store::baseline;
use crate::store::ids::AgentId;

/// A directory of permissions files.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn write(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content.to_string()).expect("written");
        path
    }

    fn lint(&self, content: &Value) -> Vec<Finding> {
        let path = self.write("root.json", content);
        lint(&path, &BuiltinSchemas::standard()).expect("a usable file")
    }
}

fn found(content: &Value) -> Vec<(Code, String)> {
    let findings = Scene::new().lint(content);
    findings
        .into_iter()
        .map(|finding| (finding.code, finding.place))
        .collect()
}

fn one(content: &Value) -> Finding {
    let findings = Scene::new().lint(content);
    match <[Finding; 1]>::try_from(findings) {
        Ok([finding]) => finding,
        Err(findings) => panic!("{content}: {findings:#?}"),
    }
}

/// A file whose only rule lets through what this schema matches.
fn granting(schema: &Value) -> Value {
    json!({"schemas": {"it": schema}, "rules": [{"any": ["it"]}]})
}

fn at(property: &str, schema: Value) -> Value {
    json!({"properties": {property: schema}, "required": [property]})
}

#[test]
fn what_the_program_itself_writes_is_clean() {
    let agent = AgentId::parse(&format!("agent-{}", "1".repeat(32))).expect("an id");
    let baseline = baseline::agent_baseline();
    let registered = baseline::register(Some(baseline.clone()), &agent).expect("registered");
    let mut granted = Value::Object(registered.clone());
    let name = "minds-file-server-read-/home/x";
    granted["rules"][1]["latchkey-self"]
        .as_array_mut()
        .expect("a list")
        .push(json!(name));
    granted["rules"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"slack-api": ["slack-read-all", "any"]}));
    granted["schemas"][name] = json!({"properties": {
        "method": {"enum": ["GET", "HEAD", "OPTIONS", "PROPFIND"]},
        "path": {"type": "string", "pattern": r"^/minds-api-proxy/api/v1/files/home/x(/.*)?$"}
    }, "required": ["method", "path"]});
    for content in [
        Value::Object(baseline),
        Value::Object(registered),
        granted,
        json!({"rules": []}),
        json!({"rules": [{"any": ["any"]}]}),
    ] {
        assert_eq!(Scene::new().lint(&content), [], "{content:#}");
    }
}

#[test]
fn every_permission_of_the_catalog_under_its_scope_is_clean() {
    let builtin = BuiltinSchemas::standard();
    let listing = builtin.listing().expect("a catalog");
    let rules = listing.scopes().map(|(_, scope)| {
        let permissions: Vec<_> = scope
            .permissions
            .iter()
            .map(|permission| permission.name.clone())
            .collect();
        json!({scope.name.clone(): permissions})
    });
    let content = json!({"rules": rules.collect::<Vec<_>>()});
    assert_eq!(Scene::new().lint(&content), []);
}

#[test]
fn a_rule_behind_one_that_takes_all_its_requests_is_found() {
    let github = at("domain", json!({"const": "api.github.com"}));
    let own = json!({"properties": {"domain": {"const": "api.github.com"}, "path": {"pattern": "^/repos/me/.*$"}}, "required": ["domain", "path"]});
    for (schemas, rules) in [
        (
            json!({}),
            json!([{"slack-api": []}, {"slack-api": ["slack-read-all"]}]),
        ),
        (json!({}), json!([{"any": ["any"]}, {"slack-api": []}])),
        (
            json!({"a": github, "b": github}),
            json!([{"a": []}, {"b": []}]),
        ),
        (
            json!({"a": github, "b": own}),
            json!([{"a": []}, {"b": []}]),
        ),
        (
            json!({"all": {}, "b": own}),
            json!([{"all": []}, {"b": []}]),
        ),
        (
            json!({"a": {"minProperties": 9}, "b": {"minProperties": 9}}),
            json!([{"a": []}, {"b": []}]),
        ),
    ] {
        let content = json!({"schemas": schemas, "rules": rules});
        let finding = one(&content);
        assert_eq!(
            (finding.code, finding.rule),
            (Code::UnreachableRule, Some(1)),
            "{content}"
        );
        assert!(finding.message.contains("rule 0"), "{finding:?}");
    }
}

#[test]
fn a_rule_that_several_take_together_names_them_all() {
    let domain = |names: Value| at("domain", json!({"enum": names}));
    let content = json!({
        "schemas": {"a": domain(json!(["a.test"])), "b": domain(json!(["b.test", "c.test"])), "both": domain(json!(["a.test", "c.test"]))},
        "rules": [{"a": []}, {"slack-api": []}, {"b": []}, {"both": ["any"]}]
    });
    let finding = one(&content);
    assert_eq!(
        (finding.code, finding.rule),
        (Code::UnreachableRule, Some(3))
    );
    for part in ["rule 0 (a)", "rule 2 (b)", "take every request"] {
        assert!(finding.message.contains(part), "{finding:?}");
    }
}

#[test]
fn an_earlier_rule_of_an_included_file_counts_and_is_named() {
    let scene = Scene::new();
    let shared = scene.write("shared.json", &json!({"rules": [{"slack-api": []}]}));
    let findings = scene
        .lint(&json!({"include": ["shared.json"], "rules": [{"slack-api": ["slack-read-all"]}]}));
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(finding.code, Code::UnreachableRule);
    assert!(
        finding.message.contains(shared.to_str().unwrap()),
        "{finding:?}"
    );
}

#[test]
fn rules_that_only_meet_are_no_finding() {
    let content = json!({
        "schemas": {
            "writes": at("method", json!({"enum": ["POST", "PUT"]})),
            "one-path": {"properties": {"domain": {"const": "slack.com"}, "path": {"const": "/api/chat.postMessage"}}, "required": ["domain", "path"]}
        },
        "rules": [{"one-path": []}, {"writes": []}, {"slack-api": ["slack-read-all"]}, {"any": []}]
    });
    assert_eq!(found(&content), []);
}

#[test]
fn a_permission_that_grants_nothing_under_its_scope_is_found() {
    let place = "#/rules/0/github-rest-api/1".to_owned();
    let content = json!({"rules": [{"github-rest-api": ["github-read-all", "slack-read-all"]}]});
    assert_eq!(found(&content), [(Code::GrantsNothing, place)]);
    for schema in [
        json!({"anyOf": []}),
        at("method", json!({"const": "get"})),
        at("protocol", json!({"const": "http"})),
        at("domain", json!({"const": "slack.com"})),
        json!({"allOf": [at("path", json!({"pattern": "^/a"})), at("path", json!({"const": "/b"}))]}),
    ] {
        let content =
            json!({"schemas": {"it": schema}, "rules": [{"github-rest-api": {"schemas": ["it"]}}]});
        let codes = found(&content);
        let place = "#/rules/0/github-rest-api/schemas/0".to_owned();
        assert!(
            codes.contains(&(Code::GrantsNothing, place)),
            "{schema}: {codes:?}"
        );
    }
}

#[test]
fn a_scope_that_matches_nothing_is_found() {
    let content = json!({"schemas": {"it": {"anyOf": []}}, "rules": [{"it": ["any"]}]});
    let finding = one(&content);
    assert_eq!(
        (finding.code, finding.rule),
        (Code::ScopeMatchesNothing, Some(0))
    );
}

#[test]
fn unknown_names_are_found_with_what_they_may_mean() {
    let content = json!({"rules": [{"slak-api": []}, {"slack-api": ["slack-reed-all"]}]});
    let findings = Scene::new().lint(&content);
    let seen: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code, finding.place.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Code::UnknownName, "#/rules/0/slak-api"),
            (Code::UnknownName, "#/rules/1/slack-api/0")
        ]
    );
    assert!(findings[0].advice.contains("slack-api"), "{findings:?}");
    assert!(
        findings[1].advice.contains("slack-read-all"),
        "{findings:?}"
    );
}

#[test]
fn schemas_that_cannot_be_evaluated_are_found() {
    for schema in [
        at("path", json!({"pattern": "("})),
        json!({"properties": {"host": {}}}),
        json!({"$ref": "#/$defs/absent"}),
    ] {
        let codes = found(&granting(&schema));
        assert_eq!(
            codes,
            [(Code::UnusableSchema, "#/rules/0/any".to_owned())],
            "{schema}"
        );
    }
}

#[test]
fn what_nobody_uses_is_missing_or_stands_twice_is_found() {
    let content = json!({"schemas": {"spare": {}, "a~/b": {}}, "patterns": {"old": {}}, "rules": [{"any": ["a~/b", "a~/b"]}]});
    let mut codes = found(&content);
    codes.sort();
    assert_eq!(
        codes,
        [
            (Code::DuplicatePermission, "#/rules/0/any/1".to_owned()),
            (Code::UnusedSchema, "#/patterns/old".to_owned()),
            (Code::UnusedSchema, "#/schemas/spare".to_owned()),
        ]
    );
    let by_reference =
        json!({"schemas": {"a": {"$ref": "#/$defs/b"}, "b": {}}, "rules": [{"a": ["any"]}]});
    assert_eq!(found(&by_reference), []);
    assert_eq!(
        found(&json!({"include": ["absent.json"], "rules": []})),
        [(Code::MissingInclude, "#/include/0".to_owned())]
    );
    assert_eq!(found(&json!({"schemas": {"for-others": {}}})), []);
}

#[test]
fn a_finding_in_an_included_schema_names_its_file() {
    let scene = Scene::new();
    let shared = scene.write(
        "shared.json",
        &json!({"schemas": {"it": at("method", json!({"const": "get"})), "spare": {}}}),
    );
    let findings =
        scene.lint(&json!({"include": ["shared.json"], "rules": [{"any": ["it", "any"]}]}));
    let impossible = findings
        .iter()
        .find(|finding| finding.code == Code::ImpossibleValue);
    assert_eq!(
        impossible.map(|finding| &finding.file),
        Some(&shared),
        "{findings:#?}"
    );
    assert!(
        findings
            .iter()
            .all(|finding| finding.code != Code::UnusedSchema),
        "{findings:#?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let scene = Scene::new();
    let path = scene.write("root.json", &json!({"rule": []}));
    let error = lint(&path, &BuiltinSchemas::standard()).expect_err("malformed");
    assert!(error.to_string().contains("\"rule\""), "{error}");
}

#[test]
fn references_that_run_in_circles_or_fan_out_come_to_an_end() {
    let mut schemas =
        json!({"last": at("method", json!({"const": "GET"})), "self": {"$ref": "#/$defs/self"}});
    for level in 0..24 {
        let next = if level == 23 {
            "last".to_owned()
        } else {
            format!("level{}", level + 1)
        };
        let branches = vec![json!({"$ref": format!("#/$defs/{next}")}); 8];
        schemas[format!("level{level}")] = json!({"anyOf": [{"allOf": branches}]});
    }
    let content = json!({"schemas": schemas, "rules": [{"level0": ["any"]}, {"self": ["any"]}]});
    assert_eq!(
        found(&content),
        [
            (Code::UnusableSchema, "#/rules/0/level0".to_owned()),
            (Code::UnusableSchema, "#/rules/1/self".to_owned()),
        ]
    );
}

#[test]
fn hooks_that_cannot_be_run_are_found() {
    let scene = Scene::new();
    let hook = scene.write("hook", &json!("exit 0"));
    let content =
        json!({"rules": [{"any": {"hooks": ["found-on-the-path", "./hook", "./absent", ""]}}]});
    let codes = |findings: Vec<Finding>| -> Vec<_> {
        findings
            .into_iter()
            .map(|finding| (finding.code, finding.place))
            .collect()
    };
    let absent = (Code::UnusableHook, "#/rules/0/any/hooks/2".to_owned());
    let plain = (Code::UnusableHook, "#/rules/0/any/hooks/1".to_owned());
    let empty = (Code::UnusableHook, "#/rules/0/any/hooks/3".to_owned());
    assert_eq!(
        codes(scene.lint(&content)),
        [plain, absent.clone(), empty.clone()]
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("executable");
    assert_eq!(codes(scene.lint(&content)), [absent, empty]);
}

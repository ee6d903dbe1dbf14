//! Schemas and what is said of them.

use serde_json::{Value, json};

use super::{Match, glob, matches};
use crate::permissions::catalog::Catalog;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn patterns_are_shown_as_people_write_paths() {
    for (pattern, expected) in [
        ("^/repos/[^/]+/issues(/[0-9]+)?$", "/repos/*/issues[/*]"),
        (
            "^/api/(chat\\.(a|b)|pins\\.list)$",
            "/api/{chat.{a,b},pins.list}",
        ),
        ("^/v[12]/.*$", "/v{1,2}/**"),
        ("^/v[12]/", "/v{1,2}/**"),
        ("/end$", "**/end"),
        ("^(/.*)?$", "[/**]"),
        ("^/(?!private)[^/]+$", "/*"),
        ("^/a(?:/[a-z]{2})+/?$", "/a/*...[/]"),
        ("^/(?<name>x)$", "/x"),
        ("^a$|^b$", "a or b"),
        ("^[\\s\\S]*.*$", "**"),
        // What cannot be told is shown as it is.
        ("^/\\p{L}$", "^/\\p{L}$"),
        ("^(a)\\1$", "^(a)\\1$"),
        ("^(a$", "^(a$"),
        ("", "****"),
    ] {
        assert_eq!(glob::of(pattern), expected, "{pattern}");
    }
}

#[test]
fn a_schema_is_told_by_its_methods_domains_and_paths() {
    let schema = json!({
        "properties": {
            "protocol": {"const": "https"},
            "domain": {"enum": ["a.example.org", "b.example.org"]},
            "method": {"enum": ["GET", "HEAD"]},
            "path": {"type": "string", "pattern": "^/things/[^/]+$"},
        },
    });
    let expected = Match {
        methods: strings(&["GET", "HEAD"]),
        domains: strings(&["a.example.org", "b.example.org"]),
        paths: strings(&["/things/*"]),
        conditions: Vec::new(),
    };
    assert_eq!(matches(&schema), [expected]);
}

#[test]
fn each_branch_is_told_by_itself_with_what_stands_around_it() {
    let schema = json!({
        "properties": {"domain": {"const": "a.example.org"}, "method": {"enum": ["GET", "POST"]}},
        "anyOf": [
            {"properties": {"method": {"enum": ["POST", "PUT"]}, "path": {"const": "/x"}}},
            {"properties": {"path": {"enum": ["/y", "/z"]}}},
        ],
    });
    let kinds = matches(&schema);
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert_eq!(kinds[0].methods, ["POST"]);
    assert_eq!(kinds[0].domains, ["a.example.org"]);
    assert_eq!(kinds[0].paths, ["/x"]);
    assert_eq!(kinds[1].methods, ["GET", "POST"]);
    assert_eq!(kinds[1].paths, ["/y", "/z"]);
}

#[test]
fn branches_that_multiply_are_told_in_part() {
    let either = json!({"anyOf": [{}, {"properties": {"path": {"const": "/x"}}}]});
    let kinds = matches(&json!({"allOf": vec![either; 64]}));
    assert!(kinds.len() < 1000, "{}", kinds.len());
    assert!(kinds.iter().any(|kind| kind.conditions == ["and more"]));
}

#[test]
fn other_conditions_are_named() {
    let schema = json!({
        "properties": {
            "protocol": {"const": "http"},
            "path": {"type": "string", "pattern": "^/(?!private).*$"},
            "queryParams": {"properties": {"Action": {"enum": ["List", "Get"]}, "v": false}},
            "headers": {"properties": {"x-amz-target": {"type": "string", "pattern": "^A\\.[a-z]+$"}}},
            "parsedBody": {"properties": {"params": {"properties": {"name": {"const": "search"}}}}},
            "body": {"type": "string", "maxLength": 1},
        },
    });
    assert_eq!(
        matches(&schema)[0].conditions,
        [
            "protocol http",
            "query Action List or Get",
            "query v absent",
            "header x-amz-target A.*",
            "JSON body params name search",
            "body of a certain form",
            "with exceptions",
        ]
    );
}

#[test]
fn a_body_is_told_by_its_alternatives_while_they_are_few() {
    let conditions = |body: Value| {
        let schema = json!({"properties": {"parsedBody": body}});
        matches(&schema)[0].conditions.clone()
    };
    let call = |tool: &str| json!({"properties": {"method": {"const": "call"}, "params": {"properties": {"tool": {"const": tool}}}}});
    assert_eq!(
        conditions(json!({"anyOf": [call("search"), {"type": "array", "items": call("fetch")}]})),
        [
            "JSON body method call and params tool search, or each method call and each params tool fetch"
        ]
    );
    let many: Vec<_> = (0..100).map(|number| call(&number.to_string())).collect();
    assert_eq!(
        conditions(json!({"anyOf": many})),
        ["JSON body of a certain form"]
    );
    assert_eq!(
        conditions(
            json!({"type": "object", "properties": {"q": {"type": "string", "not": {"const": "x"}}, "v": {"type": "object"}}})
        ),
        ["JSON body q with exceptions"]
    );
}

#[test]
fn a_schema_that_matches_nothing_or_everything_has_no_words() {
    assert_eq!(matches(&json!(false)), []);
    assert_eq!(matches(&json!({"anyOf": []})), []);
    assert_eq!(matches(&json!({})), [Match::default()]);
}

#[test]
fn every_schema_of_the_catalog_is_told_with_its_domains() {
    let catalog = Catalog::builtin();
    for name in catalog.listing().names() {
        let schema = catalog.schema(name).unwrap_or(&Value::Null);
        let kinds = matches(schema);
        assert!(!kinds.is_empty(), "{name}");
        for kind in &kinds {
            assert!(!kind.domains.is_empty(), "{name}: {kind:?}");
        }
    }
}

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::{Reader, Shape};
use crate::permissions::builtin::BuiltinSchemas;
use crate::permissions::request::Request;
use crate::permissions::schema::{Compiler, Registry};

fn defined(schemas: &[(&str, Value)]) -> HashMap<String, Arc<Value>> {
    schemas
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), Arc::new(schema.clone())))
        .collect()
}

fn shape(schema: &Value) -> Shape {
    let defined = defined(&[
        ("it", schema.clone()),
        ("get", json!({"properties": {"method": {"const": "GET"}}})),
    ]);
    let registry = Registry {
        defined: &defined,
        builtin: BuiltinSchemas::none(),
    };
    Shape::clone(&Reader::new(&registry).shape("it"))
}

fn at(property: &str, schema: Value) -> Value {
    json!({"properties": {property: schema}, "required": [property]})
}

fn is_covered(one: &Value, others: &[Value]) -> bool {
    let others: Vec<_> = others.iter().map(shape).collect();
    shape(one).is_covered_by(&others.iter().collect::<Vec<_>>())
}

#[test]
fn what_matches_nothing_is_seen() {
    for schema in [
        json!({"anyOf": []}),
        json!({"not": {}}),
        json!({"not": {"not": {"anyOf": []}}}),
        json!({"type": "string"}),
        json!({"required": ["nothing"]}),
        at("method", json!({"const": "get"})),
        at("method", json!({"enum": []})),
        at("method", json!({"type": "number"})),
        at("path", json!({"not": true})),
        at("path", json!({"const": "/a", "pattern": "^/b"})),
        at(
            "path",
            json!({"allOf": [{"pattern": "^/a"}, {"pattern": "^/b"}]}),
        ),
        json!({"allOf": [at("domain", json!({"const": "a.test"})), at("domain", json!({"pattern": r"^b\.test$"}))]}),
        json!({"allOf": [{"$ref": "#/$defs/get"}, at("method", json!({"const": "PUT"}))]}),
        at("parsedBody", json!({"anyOf": []})),
        json!({"properties": {"path": false}}),
    ] {
        assert!(shape(&schema).is_empty(), "{schema}");
    }
}

#[test]
fn what_may_match_is_not_called_empty() {
    for schema in [
        json!({}),
        json!({"not": {"anyOf": []}}),
        json!({"type": ["object", "string"]}),
        json!({"properties": {"parsedBody": {"anyOf": []}}}),
        json!({"properties": {"body": false}}),
        at(
            "path",
            json!({"allOf": [{"pattern": "^/a"}, {"pattern": "^/ab"}]}),
        ),
        at(
            "path",
            json!({"allOf": [{"pattern": "/a"}, {"pattern": "/b"}]}),
        ),
        at(
            "path",
            json!({"type": "string", "pattern": "^/a", "not": {"anyOf": []}}),
        ),
        at(
            "parsedBody",
            json!({"allOf": [{"pattern": "^a"}, {"pattern": "^b"}]}),
        ),
        json!({"$ref": "#/$defs/missing", "properties": {}}),
        json!({"minProperties": 20}),
    ] {
        assert!(!shape(&schema).is_empty(), "{schema}");
    }
}

#[test]
fn a_schema_is_covered_by_one_that_demands_less() {
    let domain = |name: &str| at("domain", json!({"const": name}));
    let narrow = json!({"properties": {"domain": {"const": "a.test"}, "method": {"enum": ["GET", "HEAD"]}}, "required": ["domain", "method"]});
    for (one, other) in [
        (domain("a.test"), json!({})),
        (narrow.clone(), domain("a.test")),
        (
            narrow.clone(),
            json!({"properties": {"method": {"pattern": "^(GET|HEAD|PUT)$"}}}),
        ),
        (
            domain("a.test"),
            at("domain", json!({"pattern": r"\.test$"})),
        ),
        (
            at("path", json!({"pattern": "^/a/b$"})),
            at("path", json!({"pattern": "^/a/"})),
        ),
        (
            at(
                "path",
                json!({"type": "string", "pattern": "x", "minLength": 3}),
            ),
            at("path", json!({"minLength": 3})),
        ),
        (
            domain("a.test"),
            json!({"anyOf": [domain("b.test"), domain("a.test")]}),
        ),
        (
            at(
                "parsedBody",
                json!({"properties": {"a": {"const": 1}, "b": {}}, "required": ["a", "b"]}),
            ),
            at(
                "parsedBody",
                json!({"properties": {"a": {"const": 1}}, "required": ["a"]}),
            ),
        ),
        (
            json!({"$ref": "#/$defs/get"}),
            at("method", json!({"const": "GET"})),
        ),
        (json!({"anyOf": []}), domain("a.test")),
    ] {
        assert!(
            is_covered(&one, std::slice::from_ref(&other)),
            "{one} by {other}"
        );
    }
    let several = [domain("a.test"), domain("b.test")];
    assert!(is_covered(
        &at("domain", json!({"enum": ["a.test", "b.test"]})),
        &several
    ));
    assert!(is_covered(
        &json!({"anyOf": [domain("b.test"), narrow]}),
        &several
    ));
}

/// A schema of the domain whose reference means something within it alone.
fn referring(domain: &str) -> Value {
    json!({
        "$defs": {"own": {"const": domain}},
        "properties": {"domain": {"$ref": "#/$defs/own"}},
        "required": ["domain"],
    })
}

#[test]
fn what_demands_something_else_does_not_cover() {
    let domain = |name: &str| at("domain", json!({"const": name}));
    for (one, other) in [
        (json!({}), domain("a.test")),
        (domain("a.test"), domain("b.test")),
        (
            domain("a.test"),
            json!({"properties": {"parsedBody": {}}, "required": ["parsedBody"]}),
        ),
        (domain("a.test"), json!({"oneOf": [{}, {}]})),
        (domain("a.test"), json!({"not": domain("b.test")})),
        (
            domain("a.test"),
            json!({"if": domain("a.test"), "then": false}),
        ),
        (domain("a.test"), json!({"maxProperties": 3})),
        (
            at("path", json!({"pattern": "^/a/b"})),
            at("path", json!({"pattern": "^/a/.*$"})),
        ),
        (
            at("path", json!({"pattern": "/a/b"})),
            at("path", json!({"pattern": "^/a/"})),
        ),
        (
            json!({"properties": {"parsedBody": {"const": 1}}}),
            at("parsedBody", json!({"const": 1})),
        ),
        (
            at("parsedBody", json!({"properties": {"a": {}}})),
            at(
                "parsedBody",
                json!({"properties": {"a": {}}, "additionalProperties": false}),
            ),
        ),
        (
            at("headers", json!({"required": ["a"]})),
            at("headers", json!({"required": ["b"]})),
        ),
        // More than the beginning is demanded.
        (
            at("path", json!({"pattern": "^/ab(c|d)*$"})),
            at(
                "path",
                json!({"pattern": "^/a", "minLength": 5, "unevaluatedProperties": false}),
            ),
        ),
        // The same reference leads to something else in each.
        (referring("a.test"), referring("b.test")),
    ] {
        assert!(
            !is_covered(&one, std::slice::from_ref(&other)),
            "{one} by {other}"
        );
    }
}

#[test]
fn a_schema_covers_itself_and_meets_itself() {
    for schema in [
        json!({"not": {"properties": {"method": {"const": "GET"}}}}),
        at("path", json!({"pattern": "a(?!b)"})),
    ] {
        assert!(!shape(&schema).is_disjoint(&shape(&schema)), "{schema}");
    }
    let plain = at("path", json!({"pattern": "a(?!b)"}));
    assert!(is_covered(&plain, std::slice::from_ref(&plain)));
}

/// Schemas of few words, so that they have to do with one another.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "(GET|PUT|get)".prop_map(|method| at("method", json!({"const": method}))),
        prop::collection::vec("(GET|PUT)", 0..3)
            .prop_map(|methods| json!({"properties": {"method": {"enum": methods}}})),
        "(a|b)\\.test".prop_map(|domain| at("domain", json!({"const": domain}))),
        r"\^?(a|b|\.test|/a|/b)(\.\*)?\$?"
            .prop_map(|pattern| at("domain", json!({"pattern": pattern}))),
        r"\^?(/|/a|/ab|/b)(\.\*|\(/\.\*\)\?)?\$?"
            .prop_map(|pattern| at("path", json!({"type": "string", "pattern": pattern}))),
        r"/(a|ab|b)?".prop_map(|path| at("path", json!({"const": path}))),
        "(GET|PUT)"
            .prop_map(|method| json!({"properties": {"method": {"not": {"const": method}}}})),
        any::<bool>().prop_map(|answer| json!({"properties": {"body": answer}})),
        Just(json!({"required": ["body"]})),
        Just(json!({})),
        Just(json!({"$ref": "#/$defs/get"})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let branches = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            branches().prop_map(|branches| json!({"anyOf": branches})),
            branches().prop_map(|branches| json!({"allOf": branches})),
            branches().prop_map(|branches| json!({"oneOf": branches})),
            inner.clone().prop_map(|schema| json!({"not": schema})),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| json!({"if": one, "then": other})),
        ]
    })
}

fn matches(schema: &Value, request: &Request) -> bool {
    let defined = defined(&[
        ("it", schema.clone()),
        ("get", json!({"properties": {"method": {"const": "GET"}}})),
    ]);
    let registry = Registry {
        defined: &defined,
        builtin: BuiltinSchemas::none(),
    };
    let mut compiler = Compiler::new(&registry);
    let id = compiler.named("it").expect("compiled").expect("known");
    compiler.finish().matches(id, request.as_value()) == Ok(true)
}

proptest! {
    #[test]
    fn no_request_contradicts_what_is_said_of_schemas(one in schemas(), other in schemas(), third in schemas()) {
        let [a, b, c] = [&one, &other, &third].map(shape);
        for method in ["GET", "PUT", "POST"] {
            for url in ["https://a.test/", "https://b.test/a", "https://b.test/ab", "https://c.a/b/c", "https://a/a"] {
                for body in [None, Some(b"x".as_slice())] {
                    let url = Url::parse(url).expect("a URL");
                    let request = Request::new(method, &url, std::iter::empty(), body, None);
                    let [is_one, is_other, is_third] = [&one, &other, &third].map(|schema| matches(schema, &request));
                    prop_assert!(!(a.is_empty() && is_one), "{one} is not empty: {method} {url}");
                    prop_assert!(is_one || !a.is_everything(), "{one} is not everything: {method} {url}");
                    prop_assert!(!(a.is_disjoint(&b) && is_one && is_other), "{one} and {other}: {method} {url}");
                    let is_covered = a.is_covered_by(&[&b, &c]);
                    prop_assert!(!(is_covered && is_one) || is_other || is_third, "{one} by {other} and {third}: {method} {url}");
                }
            }
        }
    }
}

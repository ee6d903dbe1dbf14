//! Reasons for single keywords, and that there are reasons exactly where there is no match.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::{Compiler, Registry};
use super::*;
use crate::permissions::BuiltinSchemas;

struct Compiled {
    schemas: Schemas,
    origins: Origins,
    root: NodeId,
}

impl Compiled {
    /// The schema `x` among others; `None` when it does not compile.
    fn try_new(definitions: &Value) -> Option<Self> {
        let defined: HashMap<_, _> = definitions
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), Arc::new(schema.clone())))
            .collect();
        let registry = Registry {
            defined: &defined,
            builtin: BuiltinSchemas::none(),
        };
        let mut compiler = Compiler::new(&registry);
        let root = compiler.named("x").ok()??;
        let (schemas, origins) = compiler.finish_with_origins();
        Some(Self {
            schemas,
            origins,
            root,
        })
    }

    fn new(schema: Value) -> Self {
        Self::try_new(&json!({"x": schema})).expect("it compiles")
    }

    fn reasons(&self, request: &Value) -> Result<Vec<Mismatch>, super::super::Fault> {
        let diagnostics = Diagnostics {
            schemas: &self.schemas,
            origins: &self.origins,
        };
        diagnostics.mismatches(self.root, request, request)
    }
}

/// Every reason as "sentence at place", those of branches indented by their number.
fn told(reasons: &[Mismatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for reason in reasons {
        lines.push(format!("{reason} at {}", reason.place));
        for (number, branch) in reason.alternatives.iter().enumerate() {
            lines.extend(told(branch).iter().map(|line| format!("{number}: {line}")));
        }
    }
    lines
}

#[track_caller]
fn check(schema: Value, expected: &[&str]) {
    let request = json!({
        "domain": "example.com", "port": 443, "path": "/a/", "method": "PUT",
        "headers": {"x-a": "1", "a/b": "2"},
        "queryParams": {},
        "parsedBody": {"list": [1, "two", 1], "ratio": 1.5, "none": null},
    });
    let compiled = Compiled::new(schema.clone());
    assert_eq!(
        told(&compiled.reasons(&request).expect("reasons")),
        expected,
        "{schema}"
    );
}

#[test]
fn every_keyword_says_what_is_wrong_and_where() {
    check(
        json!({"required": ["domain", "body"]}),
        &["body is missing at #/required"],
    );
    check(
        json!({"properties": {"path": {"pattern": "^/a$"}, "method": {"enum": ["GET", "HEAD"]}}}),
        &[
            "path: \"/a/\" does not match ^/a$ at #/properties/path/pattern",
            "method: \"PUT\" is not one of GET, HEAD at #/properties/method/enum",
        ],
    );
    check(
        json!({"properties": {"headers": {"required": ["x-b"], "properties": {"a/b": {"const": "3"}, "x-a": false}}}}),
        &[
            "headers/x-b is missing at #/properties/headers/required",
            "headers/a~1b: \"2\" is not \"3\" at #/properties/headers/properties/a~1b/const",
            "headers/x-a: nothing is allowed here at #/properties/headers/properties/x-a",
        ],
    );
    check(
        json!({"properties": {"port": {"maximum": 80, "multipleOf": 10, "type": ["string", "null"]}}}),
        &[
            "port: 443 is not of type string or null at #/properties/port/type",
            "port: 443 is more than 80 at #/properties/port/maximum",
            "port: 443 is not a multiple of 10 at #/properties/port/multipleOf",
        ],
    );
    check(
        json!({"properties": {"parsedBody": {"properties": {"list": {"items": {"type": "integer"}, "uniqueItems": true,
            "contains": {"const": 3}, "maxItems": 2}, "ratio": {"minimum": 2, "exclusiveMaximum": 1.5}}}}}),
        &[
            "parsedBody/list: it has 3 items, more than 2 at #/properties/parsedBody/properties/list/maxItems",
            "parsedBody/list/1: \"two\" is not of type integer at #/properties/parsedBody/properties/list/items/type",
            "parsedBody/list: it has no item as 'contains' asks for at #/properties/parsedBody/properties/list/contains",
            "parsedBody/list: it has the same item twice at #/properties/parsedBody/properties/list/uniqueItems",
            "parsedBody/ratio: 1.5 is less than 2 at #/properties/parsedBody/properties/ratio/minimum",
            "parsedBody/ratio: 1.5 is not less than 1.5 at #/properties/parsedBody/properties/ratio/exclusiveMaximum",
        ],
    );
    check(
        json!({"properties": {"headers": {"propertyNames": {"pattern": "^x-"}, "dependentRequired": {"x-a": ["x-c"]},
            "maxProperties": 1, "additionalProperties": false}}}),
        &[
            "headers: it has 2 members, more than 1 at #/properties/headers/maxProperties",
            "headers: it may not have a member \"a/b\" at #/properties/headers/propertyNames",
            "headers/x-c is missing at #/properties/headers/dependentRequired/x-a",
            "headers/x-a: nothing is allowed here at #/properties/headers/additionalProperties",
            "headers/a~1b: nothing is allowed here at #/properties/headers/additionalProperties",
        ],
    );
}

#[test]
fn combinations_and_references_lead_to_the_keyword_that_decides() {
    check(
        json!({"anyOf": [
            {"properties": {"method": {"const": "GET"}}},
            {"properties": {"method": {"const": "PUT"}, "path": {"const": "/a"}}},
        ]}),
        &[
            "the request: none of 2 alternatives matches at #/anyOf",
            "0: method: \"PUT\" is not \"GET\" at #/anyOf/0/properties/method/const",
            "1: path: \"/a/\" is not \"/a\" at #/anyOf/1/properties/path/const",
        ],
    );
    check(
        json!({"oneOf": [{}, {}, false]}),
        &["the request: 2 of 3 alternatives match, where exactly one must at #/oneOf"],
    );
    check(
        json!({"anyOf": []}),
        &["the request: 'anyOf' has no alternatives, so nothing matches at #/anyOf"],
    );
    check(
        json!({"properties": {"path": {"not": {"pattern": "/$"}}}, "allOf": [{}, {"required": ["body"]}]}),
        &[
            "body is missing at #/allOf/1/required",
            "path: \"/a/\" matches what must not match at #/properties/path/not",
        ],
    );
    check(
        json!({"if": {"properties": {"port": {"const": 443}}}, "then": {"$ref": "#/$defs/get"}, "else": false,
            "$defs": {"get": {"properties": {"method": {"const": "GET"}}}}}),
        &["method: \"PUT\" is not \"GET\" at #/$defs/get/properties/method/const"],
    );
    check(
        json!({"allOf": [{"properties": {"domain": {}, "port": {}}}], "unevaluatedProperties": {"type": "string"}}),
        &[
            "headers: \"an object with 2 members\" is not of type string at #/unevaluatedProperties/type",
            "queryParams: \"an object with 0 members\" is not of type string at #/unevaluatedProperties/type",
            "parsedBody: \"an object with 3 members\" is not of type string at #/unevaluatedProperties/type",
        ],
    );
}

#[test]
fn reasons_name_the_schema_that_holds_the_keyword() {
    let compiled = Compiled::try_new(&json!({
        "x": {"allOf": [{"$ref": "#/$defs/base"}]},
        "base": {"properties": {"method": {"const": "GET"}}},
    }))
    .expect("it compiles");
    let reasons = compiled
        .reasons(&json!({"method": "PUT"}))
        .expect("reasons");
    let named: Vec<_> = reasons
        .iter()
        .map(|reason| (&*reason.schema, &*reason.place))
        .collect();
    assert_eq!(named, [("base", "#/properties/method/const")]);
}

#[test]
fn what_is_shown_comes_from_the_copy_without_secrets_and_is_short() {
    let compiled = Compiled::new(json!({"properties": {
        "headers": {"properties": {"authorization": {"const": "x"}}}, "body": {"const": "y"}}}));
    let diagnostics = Diagnostics {
        schemas: &compiled.schemas,
        origins: &compiled.origins,
    };
    let long = "é".repeat(1000);
    let request = json!({"headers": {"authorization": "secret"}, "body": long});
    let shown = json!({"headers": {"authorization": "<hidden>"}, "body": long});
    let reasons = diagnostics
        .mismatches(compiled.root, &request, &shown)
        .expect("reasons");
    let text = format!("{reasons:?} {} {}", reasons[0], reasons[1]);
    assert!(
        text.contains("<hidden>") && !text.contains("secret"),
        "{text}"
    );
    assert!(text.len() < 2000, "{}", text.len());
}

#[test]
fn a_schema_of_many_branches_is_not_followed_for_ever() {
    let mut definitions = Map::new();
    for level in 0..12 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        definitions.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    definitions.insert("l12".to_owned(), json!({"required": ["body"]}));
    definitions.insert("x".to_owned(), json!({"$ref": "#/$defs/l0"}));
    let compiled = Compiled::try_new(&Value::Object(definitions)).expect("it compiles");
    let reasons = compiled.reasons(&json!({})).expect("reasons");
    assert!(
        !reasons.is_empty() && reasons.len() < 1000,
        "{}",
        reasons.len()
    );
}

/// Values of few kinds, so that schemas often match.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("path"), Just("method"), Just("headers"), Just("body")].prop_map(str::to_owned)
}

fn request() -> impl Strategy<Value = Value> {
    prop::collection::vec((name(), value()), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn schema() -> impl Strategy<Value = Value> {
    let type_name = prop_oneof![
        Just("string"),
        Just("integer"),
        Just("number"),
        Just("object"),
        Just("array"),
        Just("null"),
        Just("wrong")
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        type_name.prop_map(|name| json!({"type": name})),
        value().prop_map(|value| json!({"const": value})),
        prop::collection::vec(value(), 0..3).prop_map(|values| json!({"enum": values})),
        "[ab^$+]{0,3}|\\(".prop_map(|pattern| json!({"pattern": pattern})),
        prop::collection::vec(name(), 0..3).prop_map(|names| json!({"required": names})),
        (
            prop_oneof![
                Just("minimum"),
                Just("maximum"),
                Just("exclusiveMinimum"),
                Just("exclusiveMaximum"),
                Just("multipleOf"),
                Just("minLength"),
                Just("maxLength"),
                Just("minItems"),
                Just("maxItems"),
                Just("minProperties"),
                Just("maxProperties"),
                Just("uniqueItems"),
                Just("required"),
            ],
            0..3
        )
            .prop_map(|(keyword, limit)| json!({keyword: limit})),
        prop_oneof![Just("x"), Just("y")]
            .prop_map(|name| json!({"$ref": format!("#/$defs/{name}")})),
        (name(), name()).prop_map(|(name, needed)| json!({"dependentRequired": {name: [needed]}})),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = (prop_oneof![
            Just("not"), Just("items"), Just("contains"), Just("propertyNames"), Just("additionalProperties"),
            Just("unevaluatedProperties"), Just("unevaluatedItems"),
        ], inner.clone());
        let many = (prop_oneof![Just("anyOf"), Just("oneOf"), Just("allOf"), Just("prefixItems")],
            prop::collection::vec(inner.clone(), 0..3));
        let named = (prop_oneof![Just("properties"), Just("dependentSchemas")],
            prop::collection::vec((name(), inner.clone()), 0..3));
        prop_oneof![
            one.prop_map(|(keyword, schema)| json!({keyword: schema})),
            many.prop_map(|(keyword, schemas)| json!({keyword: schemas})),
            named.prop_map(|(keyword, schemas)| json!({keyword: Value::Object(schemas.into_iter().collect())})),
            ("[pmh]", inner.clone()).prop_map(|(pattern, schema)| json!({"patternProperties": {pattern: schema}})),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(test, then, otherwise)| json!({"if": test, "then": then, "else": otherwise})),
            (inner.clone(), 0..3, 0..3)
                .prop_map(|(schema, min, max)| json!({"contains": schema, "minContains": min, "maxContains": max})),
            prop::collection::vec(inner, 2..4).prop_map(|schemas| {
                let members = schemas.into_iter().filter_map(|schema| match schema {
                    Value::Object(members) => Some(members),
                    _ => None,
                });
                Value::Object(members.flatten().collect())
            }),
        ]
    })
}

/// Every place of a reason and of its branches must be in the definitions, and end in its keyword.
fn check_places(reasons: &[Mismatch], definitions: &Value) -> Result<(), TestCaseError> {
    for reason in reasons {
        let root = definitions.get(&reason.schema);
        let pointer = reason.place.strip_prefix('#').unwrap_or("no pointer");
        // Only the type of the request itself goes without saying.
        let is_implied = reason.keyword == "type" && pointer == "/type";
        let found = root.and_then(|root| root.pointer(pointer)).is_some();
        prop_assert!(found || is_implied, "{reason:?}");
        prop_assert_ne!(reason.keyword, "schema", "{:?}", reason);
        for branch in &reason.alternatives {
            prop_assert!(!branch.is_empty(), "{reason:?}");
            check_places(branch, definitions)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn there_are_reasons_exactly_where_there_is_no_match(x in schema(), y in schema(), request in request()) {
        let definitions = json!({"x": x, "y": y});
        let Some(compiled) = Compiled::try_new(&definitions) else {
            return Ok(());
        };
        match (compiled.schemas.matches(compiled.root, &request), compiled.reasons(&request)) {
            (Ok(matches), Ok(reasons)) => {
                prop_assert_eq!(matches, reasons.is_empty(), "{:?}", reasons);
                check_places(&reasons, &definitions)?;
            }
            (Err(fault), Err(same)) => prop_assert_eq!(fault, same),
            (answer, reasons) => prop_assert!(false, "{answer:?} {reasons:?}"),
        }
    }
}

//! Files and requests that ask for too much: refused, or decided within bounds.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use url::Url;

use super::super::{BuiltinSchemas, Decision, Engine, Request};
use super::{Sandbox, URL, path_schema};

fn post(body: &str) -> Request {
    let url = Url::parse(URL).expect("a URL");
    let headers = [("content-type", b"application/json".as_slice())];
    Request::new(
        "POST",
        &url,
        headers.into_iter(),
        Some(body.as_bytes()),
        None,
    )
}

fn body_schema(schema: Value) -> Value {
    json!({"properties": {"parsedBody": schema}, "required": ["parsedBody"]})
}

fn file(schemas: Value, scope: &str) -> Value {
    json!({"schemas": schemas, "rules": [{scope: ["any"]}]})
}

#[tokio::test]
async fn files_that_are_too_large_or_too_deep_are_refused() {
    let sandbox = Sandbox::new();
    let deep = format!(
        r#"{{"schemas": {{"x": {}{{}}{}}}}}"#,
        r#"{"not":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let large = format!("{}{{}}", " ".repeat(16 * 1024 * 1024));
    for (content, reason) in [
        (deep.as_str(), "recursion limit"),
        (&"[".repeat(1_000_000), "recursion limit"),
        (&large, "larger than"),
        ("\0", "line 1"),
        ("{\"rules\": []}\0", "line 1"),
        (r#"{"schemas": {"x": {"const": "\ud800"}}}"#, "line 1"),
    ] {
        sandbox.write("root.json", content);
        let failure = sandbox.failure(URL).await;
        let start: String = content.chars().take(30).collect();
        assert!(failure.contains(reason), "{start}: {failure}");
    }
}

#[tokio::test]
async fn references_that_are_too_many_to_follow_are_a_failure_and_not_a_hang() {
    let sandbox = Sandbox::new();
    let next = |number: usize| json!({"$ref": format!("#/$defs/{}", number + 1)});
    for (count, schema) in [
        (10_000, &(|number| next(number)) as &dyn Fn(usize) -> Value),
        // Two to the power of a hundred ways to nowhere.
        (
            100,
            &|number| json!({"anyOf": [next(number), next(number)]}),
        ),
        (
            100,
            &|number| json!({"allOf": [{"not": next(number)}, {"not": next(number)}]}),
        ),
        (
            100,
            &|number| json!({"unevaluatedProperties": true, "oneOf": [next(number), next(number)]}),
        ),
    ] {
        let mut schemas = serde_json::Map::new();
        for number in 0..count {
            schemas.insert(number.to_string(), schema(number));
        }
        schemas.insert(count.to_string(), json!({"not": {}}));
        // A rule for each of them: what is the same in all is looked at once.
        let rules: Vec<_> = (0..count)
            .map(|number| json!({number.to_string(): []}))
            .collect();
        sandbox.write("root.json", json!({"schemas": schemas, "rules": rules}));
        let failure = sandbox.failure(URL).await;
        assert!(failure.contains("too long"), "{count}: {failure}");
    }
}

#[tokio::test]
async fn a_chain_of_includes_may_be_as_long_as_the_limit() {
    let sandbox = Sandbox::new();
    for number in 0..600 {
        // Each includes the next one twice, which counts once.
        let next = format!("{}.json", number + 1);
        sandbox.write(&format!("{number}.json"), json!({"include": [next, next]}));
    }
    sandbox.write("499.json", json!({"rules": [{"any": ["any"]}]}));
    sandbox.write("root.json", json!({"include": ["1.json"]}));
    assert!(sandbox.allows(URL).await, "500 files");
    sandbox.write("root.json", json!({"include": ["0.json"]}));
    let failure = sandbox.failure(URL).await;
    assert!(failure.contains("more than 500 files"), "{failure}");
}

#[tokio::test]
async fn wide_files_are_decided() {
    let sandbox = Sandbox::new();
    let branches = vec![path_schema("^/nowhere$"); 20_000];
    let values: Vec<_> = (0..100_000).map(|number| format!("/{number}")).collect();
    for schema in [
        json!({"allOf": [{"not": {"anyOf": branches}}]}),
        json!({"not": {"properties": {"path": {"enum": values}}}}),
        json!({"required": vec!["path"; 100_000]}),
    ] {
        sandbox.write("root.json", file(json!({"x": schema}), "x"));
        assert!(sandbox.allows(URL).await);
    }
    let rules = vec![json!({"none": ["any"]}); 100_000];
    let permissions = vec!["none"; 100_000];
    for rules in [json!(rules), json!([{"any": permissions}])] {
        sandbox.write(
            "root.json",
            json!({"schemas": {"none": {"not": {}}}, "rules": rules}),
        );
        assert!(!sandbox.allows(URL).await);
    }
}

#[tokio::test]
async fn large_bodies_are_decided_or_given_up() {
    let sandbox = Sandbox::new();
    let numbers: Vec<_> = (0..100_000).collect();
    let list = json!(numbers).to_string();
    let letters = json!(vec!["a".repeat(50); 20_000]).to_string();
    let mut object = String::from("{");
    for number in 0..50_000 {
        let _ = write!(object, "\"{number}\": 0, ");
    }
    object.push_str("\"last\": 0}");
    for (body, schema, expected) in [
        (&list, json!({"uniqueItems": true}), Some(Decision::Allowed)),
        (
            &list,
            json!({"items": {"type": "integer"}}),
            Some(Decision::Allowed),
        ),
        (&list, json!({"items": {"allOf": [{}, {}, {}]}}), None),
        (
            &list,
            json!({"contains": {"const": -1}}),
            Some(Decision::Denied),
        ),
        (
            &object,
            json!({"patternProperties": {"^[0-9]+$": {"const": 0}}}),
            Some(Decision::Allowed),
        ),
        (
            &object,
            json!({"patternProperties": {r"^(?=(\d+)+$)\1!": {}}}),
            Some(Decision::Allowed),
        ),
        (
            &object,
            json!({"$ref": "#/$defs/all", "allOf": vec![json!({}); 500], "unevaluatedProperties": false}),
            None,
        ),
        // Each search stays below its own limit; together they do not.
        (
            &letters,
            json!({"items": {"pattern": r"(?!(a|aa){9}b)(a?){9}\1b"}}),
            None,
        ),
        (&"[".repeat(100_000), json!({}), Some(Decision::Denied)),
    ] {
        sandbox.write(
            "root.json",
            file(
                json!({"x": body_schema(schema.clone()), "all": {"additionalProperties": true}}),
                "x",
            ),
        );
        let shown: String = schema.to_string().chars().take(80).collect();
        match (sandbox.decide(&post(body)).await, expected) {
            (Ok(decision), Some(expected)) => assert_eq!(decision, expected, "{shown}"),
            (Err(failure), None) => assert!(
                failure.to_string().contains("too long"),
                "{shown}: {failure}"
            ),
            (outcome, _) => panic!("{shown}: {outcome:?}"),
        }
    }
}

const KEYWORDS: [&str; 44] = [
    "type",
    "const",
    "enum",
    "not",
    "anyOf",
    "allOf",
    "oneOf",
    "if",
    "then",
    "else",
    "properties",
    "required",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "uniqueItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "$ref",
    "$defs",
    "$id",
    "$anchor",
    "nullable",
];
const WORDS: [&str; 24] = [
    "",
    "a",
    "path",
    "domain",
    "parsedBody",
    "string",
    "object",
    "integer",
    "#",
    "#/",
    "#/$defs/x",
    "#/$defs/x/not",
    "#/not",
    "#a",
    "x",
    "date-time",
    "regex",
    "ipv6",
    "(",
    "^(a+)+$",
    r"(?=(a+)+)\1b",
    r"\p{L}",
    "\u{0}",
    "😀",
];

/// Anything that could stand where a keyword's value belongs.
fn soup() -> impl Strategy<Value = Value> {
    let number = select(&[0.0, -1.0, 0.5, 1e308, -0.0, 5e-324, 9_007_199_254_740_993.0][..]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let names = prop_oneof![4 => select(&KEYWORDS[..]), 1 => select(&WORDS[..])];
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((names, inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_stands_in_a_schema_a_request_is_decided_or_refused(
        schemas in prop::collection::vec(soup(), 2),
        body in soup(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let sandbox = Sandbox { engine: Engine::new(BuiltinSchemas::standard()), ..Sandbox::new() };
        let [x, y] = [0, 1].map(|index| json!({"allOf": [schemas[index]], "properties": {"parsedBody": schemas[index]}}));
        sandbox.write("root.json", json!({"schemas": {"x": x, "y": y}, "rules": [{"x": ["y"]}, {"y": ["x"]}]}));
        let _ = runtime.block_on(sandbox.decide(&post(&body.to_string())));
    }
}

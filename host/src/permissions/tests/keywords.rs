//! What the keywords of JSON Schema mean for a request, and which of them fail.

use serde_json::{Value, json};
use url::Url;

use super::super::{CheckError, Decision, Request};
use super::Sandbox;

/// Decides a POST of `body` by `schema` alone.
async fn matches(schema: &Value, body: &str) -> Result<Decision, CheckError> {
    let sandbox = Sandbox::new();
    sandbox.write(
        "root.json",
        json!({"schemas": {"x": schema}, "rules": [{"any": ["x"]}]}),
    );
    let url = Url::parse("https://example.com/a?q=1").expect("a URL");
    let headers = [(
        "Content-Type",
        b"application/json; charset=utf-8".as_slice(),
    )];
    let request = Request::new(
        "post",
        &url,
        headers.into_iter(),
        Some(body.as_bytes()),
        None,
    );
    sandbox.decide(&request).await
}

#[tokio::test]
async fn keywords_mean_what_json_schema_says() {
    let body =
        |schema: Value| json!({"properties": {"parsedBody": schema}, "required": ["parsedBody"]});
    for (schema, text, expected) in [
        (json!({"properties": {"port": {"const": 443.0}}}), "1", true),
        (
            json!({"properties": {"port": {"const": "443"}}}),
            "1",
            false,
        ),
        (
            json!({"properties": {"port": {"type": "integer", "minimum": 443, "exclusiveMaximum": 444}}}),
            "1",
            true,
        ),
        (
            json!({"properties": {"headers": {"required": ["content-type"]}}}),
            "1",
            true,
        ),
        (
            json!({"properties": {"headers": {"required": ["Content-Type"]}}}),
            "1",
            false,
        ),
        (
            json!({"properties": {"headers": {"additionalProperties": false}}}),
            "1",
            false,
        ),
        (json!({"type": "string"}), "1", false),
        (json!({"type": ["string", "object"]}), "1", true),
        (json!({"type": "thing"}), "1", false),
        (json!({"additionalProperties": false}), "1", false),
        (
            json!({"properties": {"method": {"enum": ["GET", "POST"]}}}),
            "1",
            true,
        ),
        (json!({"required": ["body", "parsedBody"]}), "1", true),
        (json!({"required": ["body"]}), "", false),
        (json!({"not": {"required": ["body"]}}), "", true),
        (json!({"required": ["parsedBody"]}), "{", false),
        (json!({"anyOf": []}), "1", false),
        (json!({"not": {"anyOf": []}}), "1", true),
        (json!({"oneOf": []}), "1", false),
        (json!({"allOf": []}), "1", true),
        (json!({"oneOf": [true, true]}), "1", false),
        (json!({"enum": []}), "1", false),
        (body(json!({"const": null})), "null", true),
        (body(json!({"type": "integer"})), "2.0", true),
        (body(json!({"type": "integer"})), "2.5", false),
        (body(json!({"enum": [1, "a"]})), "1.0", true),
        (
            body(json!({"const": {"a": 1, "b": [2]}})),
            r#"{"b": [2.0], "a": 1}"#,
            true,
        ),
        (body(json!({"multipleOf": 0.01})), "0.07", true),
        (body(json!({"minLength": 2})), "\"😀\"", false),
        (body(json!({"maxLength": 1})), "\"😀\"", true),
        (body(json!({"pattern": "^a"})), "5", true),
        (body(json!({"format": "ipv4"})), "\"1.2.3.4\"", true),
        (body(json!({"format": "date"})), "\"2023-02-29\"", false),
        (body(json!({"format": "no-such-format"})), "\"x\"", true),
        (
            body(json!({"prefixItems": [{"const": 1}], "items": false})),
            "[1]",
            true,
        ),
        (
            body(json!({"prefixItems": [{"const": 1}], "items": false})),
            "[1, 2]",
            false,
        ),
        (
            body(json!({"contains": {"const": 1}, "maxContains": 1})),
            "[1, 1]",
            false,
        ),
        (
            body(json!({"contains": {"const": 1}, "minContains": 0})),
            "[]",
            true,
        ),
        (body(json!({"uniqueItems": true})), "[1, 1.0]", false),
        (body(json!({"uniqueItems": true})), "[[1], [2]]", true),
        (
            body(json!({"patternProperties": {"^a": {"type": "string"}}})),
            r#"{"ab": 1}"#,
            false,
        ),
        (
            body(json!({"patternProperties": {"^a": true}, "additionalProperties": false})),
            r#"{"ab": 1}"#,
            true,
        ),
        (
            body(json!({"propertyNames": {"maxLength": 1}})),
            r#"{"ab": 1}"#,
            false,
        ),
        (
            body(json!({"dependentRequired": {"a": ["b"]}})),
            r#"{"a": 1}"#,
            false,
        ),
        (
            body(json!({"dependentSchemas": {"a": {"required": ["b"]}}})),
            r#"{"a": 1}"#,
            false,
        ),
        (
            body(json!({"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false})),
            r#"{"a": 1}"#,
            true,
        ),
        (
            body(
                json!({"anyOf": [{"properties": {"a": false}}, true], "unevaluatedProperties": false}),
            ),
            r#"{"a": 1}"#,
            false,
        ),
        (
            body(json!({"if": {"required": ["a"]}, "then": false})),
            r#"{"a": 1}"#,
            false,
        ),
        (
            body(json!({"if": {"required": ["a"]}, "else": false})),
            r#"{"a": 1}"#,
            true,
        ),
    ] {
        let expected = if expected {
            Decision::Allowed
        } else {
            Decision::Denied
        };
        assert_eq!(
            matches(&schema, text).await,
            Ok(expected),
            "{schema} on {text}"
        );
    }
}

#[tokio::test]
async fn keywords_that_cannot_be_evaluated_are_failures_where_they_count() {
    let path = |schema: Value| json!({"properties": {"path": schema}});
    for schema in [
        path(json!({"pattern": "("})),
        path(json!({"pattern": r"(?i:a)"})),
        path(json!({"not": {"pattern": "["}})),
        path(json!({"pattern": ["a"]})),
        path(json!({"enum": "/a"})),
        path(json!({"anyOf": {"const": "/a"}})),
        path(json!("/a")),
        path(Value::Null),
        json!({"required": 1}),
        json!({"properties": [], "required": "path"}),
        json!({"patternProperties": {"(": true}}),
        json!({"$ref": "#/nowhere"}),
        json!({"$dynamicRef": "#x"}),
        json!({"anyOf": [true, path(json!({"pattern": "("}))]}),
    ] {
        assert!(matches(&schema, "1").await.is_err(), "{schema}");
    }
    // The absent property is not looked at.
    let absent = json!({"properties": {"customMetadata": {"pattern": 1}, "path": true}});
    assert_eq!(matches(&absent, "1").await, Ok(Decision::Allowed));
}

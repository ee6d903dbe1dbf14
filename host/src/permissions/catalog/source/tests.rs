//! Each rule of the check, by a catalog that breaks it alone.

use serde_json::{Value, json};

use super::{Problem, Service, check};

/// A service that nothing is wrong with.
fn sound() -> Value {
    let schema = |methods: &[&str]| {
        json!({
            "properties": {
                "domain": {"const": "api.example.org"},
                "method": {"enum": methods},
                "path": {"type": "string", "pattern": "^/v1/things(/[0-9]+)?$"},
            },
            "required": ["domain", "method", "path"],
        })
    };
    let examples = |method: &str| {
        json!({
            "allow": [format!("{method} https://api.example.org/v1/things")],
            "deny": [{"request": "POST https://example.org/", "body": {}}],
        })
    };
    json!([{
        "scope": "things-api",
        "display_name": "Things",
        "description": "All of it.",
        "schema": {"properties": {"domain": {"const": "api.example.org"}}},
        "examples": examples("GET"),
        "permissions": [
            {"name": "things-read-all", "description": "Read.", "schema": schema(&["GET", "HEAD"]), "examples": examples("GET")},
            {"name": "things-write-all", "description": "Write.", "schema": schema(&["POST"]), "examples": examples("POST")},
        ],
    }])
}

fn problems(service: &Value) -> Vec<String> {
    let service = Service::read("things", &service.to_string()).expect("a source file");
    check(&[service]).iter().map(Problem::to_string).collect()
}

#[test]
fn a_sound_catalog_has_no_problem() {
    assert_eq!(problems(&sound()), Vec::<String>::new());
}

#[test]
fn each_mistake_is_named_with_its_place_and_the_remedy() {
    let read = "/0/permissions/0";
    let write = "/0/permissions/1";
    for (place, value, expected) in [
        (
            "/0/permissions".to_owned(),
            json!([]),
            "things-api: it has no permissions; write some, or say in 'undivided'",
        ),
        (
            "/0/display_name".to_owned(),
            json!(""),
            "things-api: 'display_name' is empty",
        ),
        (
            format!("{write}/name"),
            json!("things-read-all"),
            "things-read-all: the name is used twice, also in things.json",
        ),
        (
            format!("{write}/name"),
            json!("any"),
            "any: a name consists of a-z, 0-9 and '-'",
        ),
        (
            format!("{write}/name"),
            json!("Things"),
            "Things: a name consists of a-z, 0-9 and '-'",
        ),
        (
            format!("{write}/description"),
            Value::Null,
            "things-write-all: 'description' is missing",
        ),
        (
            format!("{write}/schema"),
            Value::Null,
            "things-write-all: 'schema' is missing",
        ),
        (
            format!("{write}/schema"),
            json!(true),
            "things-write-all: 'schema' is not an object",
        ),
        (
            format!("{write}/examples/allow"),
            json!([]),
            "things-write-all: 'examples.allow' is empty",
        ),
        (
            format!("{write}/examples/deny"),
            json!([]),
            "things-write-all: 'examples.deny' is empty",
        ),
        (
            format!("{write}/examples/deny"),
            json!(["https://example.org/"]),
            "things-write-all: the example \"https://example.org/\" is no request",
        ),
        (
            format!("{write}/schema/properties/path/pattern"),
            json!("^/v1/(things$"),
            "things-write-all: the pattern \"^/v1/(things$\" is no ECMAScript regular expression (flag u)",
        ),
        (
            format!("{write}/schema/properties/path/pattern"),
            json!("^/v1/things"),
            "things-write-all: the pattern \"^/v1/things\" is not anchored at both ends",
        ),
        (
            format!("{write}/schema/properties/path/pattern"),
            json!("^/v1/(a|[|)])|\\(/v2$"),
            "things-write-all: the pattern \"^/v1/(a|[|)])|\\\\(/v2$\" is not anchored at both ends",
        ),
        (
            format!("{write}/schema/properties/path"),
            json!({"patternProperties": {"*": {}}}),
            "things-write-all: the pattern \"*\" in 'patternProperties' is no ECMAScript regular expression",
        ),
        (
            format!("{read}/schema/properties/method"),
            json!({"enum": ["GET", "DELETE"]}),
            "things-read-all: a read, but its schema lets DELETE through",
        ),
        (
            format!("{read}/schema/properties/method"),
            json!({"type": "string"}),
            "things-read-all: a read, but its schema lets any method through",
        ),
        (
            format!("{read}/schema/properties/method"),
            json!({"enum": ["GET", "POST"]}),
            "things-read-all: a read whose schema lets POST through; show in 'examples.allow'",
        ),
    ] {
        let mut service = sound();
        *service.pointer_mut(&place).expect("a place") = value;
        let found = problems(&service);
        let expected = format!("host/catalog/things.json: {expected}");
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{place}: {found:#?}"
        );
    }
}

#[test]
fn a_read_is_limited_in_every_branch_or_around_them() {
    let get = json!({"properties": {"method": {"const": "GET"}}});
    let put = json!({"properties": {"method": {"const": "PUT"}}});
    let path = json!({"properties": {"path": {"const": "/"}}});
    for (schema, is_sound) in [
        (json!({"anyOf": [get, get]}), true),
        (json!({"anyOf": [get, path]}), false),
        (json!({"anyOf": [get, put]}), false),
        (json!({"allOf": [get, path]}), true),
        (json!({"allOf": [get], "oneOf": [put, path]}), true),
        (
            json!({"properties": {"method": {"const": "GET"}}, "anyOf": [path]}),
            true,
        ),
        (path, false),
    ] {
        let mut service = sound();
        service[0]["permissions"][0]["schema"] = schema.clone();
        assert_eq!(problems(&service).is_empty(), is_sound, "{schema}");
    }
}

#[test]
fn a_reading_post_is_shown_by_an_example() {
    let mut service = sound();
    let read = &mut service[0]["permissions"][0];
    read["schema"]["properties"]["method"] = json!({"enum": ["GET", "POST"]});
    read["examples"]["allow"] =
        json!([{"request": "POST https://api.example.org/v1/things", "body": {"query": "x"}}]);
    assert_eq!(problems(&service), Vec::<String>::new());
}

#[test]
fn an_undivided_scope_says_why_and_has_no_permissions() {
    let mut service = sound();
    service[0]["undivided"] = json!("One address reads and writes.");
    assert!(problems(&service)[0].contains("remove 'undivided'"));
    service[0]["permissions"] = json!([]);
    assert_eq!(problems(&service), Vec::<String>::new());
    service[0]["undivided"] = json!("");
    assert!(problems(&service)[0].contains("'undivided' is empty"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = Service::read("things", "[{\n\"scopes\": 1}]").err();
    let error = error.expect("an unknown key").to_string();
    assert!(
        error.starts_with("host/catalog/things.json: unknown field `scopes`")
            && error.contains("line 2"),
        "{error}"
    );
}

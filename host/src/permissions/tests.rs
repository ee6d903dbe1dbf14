//! The engine as its callers use it: files in a directory, requests, decisions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::{BuiltinSchemas, CheckError, Decision, Engine, Request};

/// A directory of permissions files and an engine that reads them.
struct Sandbox {
    directory: TempDir,
    engine: Engine,
}

impl Sandbox {
    fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a temporary directory"),
            engine: Engine::new(BuiltinSchemas::standard()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl ToString) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content.to_string()).expect("written");
        self
    }

    fn script(&self, name: &str, content: &str) -> &Self {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755))
            .expect("made executable");
        self
    }

    async fn decide(&self, request: &Request) -> Result<Decision, CheckError> {
        self.engine.decide(&self.path("root.json"), request).await
    }

    async fn get(&self, url: &str) -> Result<Decision, CheckError> {
        self.decide(&get(url)).await
    }

    async fn allows(&self, url: &str) -> bool {
        self.get(url).await.expect("a decision") == Decision::Allowed
    }

    async fn failure(&self, url: &str) -> String {
        self.get(url).await.expect_err("a failure").to_string()
    }
}

fn get(url: &str) -> Request {
    Request::new(
        "GET",
        &Url::parse(url).expect("a URL"),
        std::iter::empty(),
        None,
        None,
    )
}

fn path_schema(pattern: &str) -> Value {
    json!({"properties": {"path": {"type": "string", "pattern": pattern}}, "required": ["path"]})
}

const URL: &str = "https://example.com/a";

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
async fn malformed_files_are_failures_that_say_where() {
    let sandbox = Sandbox::new();
    for (content, place) in [
        ("", "EOF"),
        ("{", "line 1"),
        ("\u{feff}{}", "line 1"),
        ("[]", "# must be an object"),
        ("null", "# must be an object"),
        (r#"{"rule": []}"#, "\"rule\""),
        (r#"{"include": "x"}"#, "#/include "),
        (r#"{"include": null}"#, "#/include "),
        (r#"{"include": [1]}"#, "#/include/0"),
        (r#"{"rules": {}}"#, "#/rules "),
        (r#"{"rules": ["any"]}"#, "#/rules/0 "),
        (r#"{"rules": [{}]}"#, "exactly one key"),
        (r#"{"rules": [{"any": [], "b": []}]}"#, "exactly one key"),
        (r#"{"rules": [{"any": "any"}]}"#, "#/rules/0/any"),
        (r#"{"rules": [{"any": ["any", 1]}]}"#, "#/rules/0/any/1"),
        (r#"{"rules": [{"any": {}}]}"#, "at least one"),
        (r#"{"rules": [{"any": {"hook": []}}]}"#, "\"hook\""),
        (
            r#"{"rules": [{"any": {"hooks": "x"}}]}"#,
            "#/rules/0/any/hooks",
        ),
        (r#"{"schemas": []}"#, "#/schemas "),
        (r#"{"schemas": {"x": true}}"#, "#/schemas/x"),
        (r#"{"patterns": {"x": null}}"#, "#/patterns/x"),
    ] {
        sandbox.write("root.json", content);
        let failure = sandbox.failure(URL).await;
        assert!(failure.contains(place), "{content}: {failure}");
        assert!(failure.contains("root.json"), "{content}: {failure}");
    }
}

#[tokio::test]
async fn the_last_of_equal_keys_counts() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "root.json",
        r#"{"rules": [], "rules": [{"any": [], "any": ["any"]}]}"#,
    );
    assert!(sandbox.allows(URL).await);
}

#[tokio::test]
async fn schemas_win_over_patterns_and_own_ones_over_included_and_builtin_ones() {
    let sandbox = Sandbox::new();
    let (yes, no) = (json!({}), json!({"not": {}}));
    sandbox.write("included.json", json!({"schemas": {"x": no, "y": yes}}));
    for (own, allowed) in [
        (json!({"schemas": {"x": yes}}), true),
        (json!({"patterns": {"x": yes}}), true),
        (json!({"patterns": {"x": yes}, "schemas": {"x": no}}), false),
        (json!({"schemas": {"x": yes}, "patterns": {"x": no}}), true),
        (json!({}), false),
        (json!({"schemas": {"any": no, "x": yes}}), false),
    ] {
        let mut config = json!({"include": ["included.json"], "rules": [{"any": ["x"]}]});
        config
            .as_object_mut()
            .expect("an object")
            .extend(own.as_object().expect("an object").clone());
        sandbox.write("root.json", &config);
        assert_eq!(sandbox.allows(URL).await, allowed, "{config}");
    }
}

#[tokio::test]
async fn includes_come_first_and_are_relative_to_their_file() {
    let sandbox = Sandbox::new();
    sandbox
        .write(
            "root.json",
            json!({"include": ["deep/one.json", "./two.json"], "rules": [{"any": ["any"]}]}),
        )
        .write(
            "deep/one.json",
            json!({"include": ["../three.json"], "schemas": {"a": path_schema("^/a")}}),
        )
        .write("three.json", json!({"rules": [{"a": []}]}))
        .write(
            "two.json",
            json!({"rules": [{"b": []}], "schemas": {"b": path_schema("^/b")}}),
        );
    for (path, allowed) in [("/a", false), ("/b", false), ("/c", true)] {
        assert_eq!(
            sandbox.allows(&format!("https://example.com{path}")).await,
            allowed,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_circle_of_includes_is_a_failure_and_a_diamond_is_not() {
    let sandbox = Sandbox::new();
    sandbox
        .write("root.json", json!({"include": ["a.json", "b.json"]}))
        .write("a.json", json!({"include": ["c.json"]}))
        .write("b.json", json!({"include": ["./c.json"]}))
        .write("c.json", json!({"rules": [{"any": ["any"]}]}));
    assert!(sandbox.allows(URL).await);
    sandbox.write("c.json", json!({"include": ["x/../root.json"]}));
    let failure = sandbox.failure(URL).await;
    assert!(
        failure.contains("circle") && failure.contains("c.json"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_missing_include_is_empty_until_it_appears() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "root.json",
        json!({"include": ["later.json"], "rules": [{"any": ["any"]}]}),
    );
    assert!(sandbox.allows(URL).await);
    sandbox.write("later.json", json!({"rules": [{"any": []}]}));
    assert!(!sandbox.allows(URL).await);
    sandbox.write("later.json", "[");
    assert!(sandbox.failure(URL).await.contains("later.json"));
    fs::remove_file(sandbox.path("later.json")).expect("removed");
    assert!(sandbox.allows(URL).await);
    fs::create_dir(sandbox.path("later.json")).expect("a directory");
    assert!(sandbox.failure(URL).await.contains("directory"));
}

#[tokio::test]
async fn every_change_shows_in_the_next_decision() {
    let sandbox = Sandbox::new();
    for round in 0..200 {
        let allowed = round % 2 == 0;
        // The same size every time, and often the same tick of the clock.
        let body = if allowed { "any" } else { "nil" };
        sandbox.write(
            "root.json",
            json!({"schemas": {"nil": {"not": {}}}, "rules": [{"any": [body]}]}),
        );
        assert_eq!(sandbox.allows(URL).await, allowed, "round {round}");
        assert_eq!(sandbox.allows(URL).await, allowed, "round {round}, again");
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
async fn a_broken_schema_is_harmless_until_a_rule_uses_it() {
    let sandbox = Sandbox::new();
    let broken = json!({"bad": path_schema("("), "typo": {"properties": {"hots": {}}}});
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["any"]}]}),
    );
    assert!(sandbox.allows(URL).await);
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["typo"]}]}),
    );
    assert!(sandbox.failure(URL).await.contains("\"hots\""));
    sandbox.write(
        "root.json",
        json!({"schemas": broken, "rules": [{"any": ["bad"]}]}),
    );
    let failure = sandbox.failure(URL).await;
    assert!(
        failure.contains("\"bad\"") && failure.contains("'pattern'"),
        "{failure}"
    );
    // Where no request leads, a broken pattern does not stand in the way; a new file may not have one all the same.
    let content = json!({"schemas": broken, "rules": [{"any": ["any"]}, {"bad": []}]}).to_string();
    sandbox.write("root.json", &content);
    assert!(sandbox.allows(URL).await);
    let root = sandbox.path("root.json");
    assert!(sandbox.engine.check(&root, content.as_bytes()).is_err());
    assert_eq!(
        sandbox
            .engine
            .check(&root, b"{\"rules\": [{\"any\": [\"any\"]}]}"),
        Ok(())
    );
}

#[tokio::test]
async fn unknown_properties_are_found_in_combinations_and_references() {
    let sandbox = Sandbox::new();
    let bad = json!({"properties": {"url": {}}});
    for schema in [
        json!({"anyOf": [{}, bad]}),
        json!({"oneOf": [bad]}),
        json!({"allOf": [{"not": {"if": bad}}]}),
        json!({"then": bad}),
        json!({"else": bad}),
        json!({"$ref": "#/$defs/bad"}),
    ] {
        sandbox.write(
            "root.json",
            json!({"schemas": {"x": schema, "bad": bad}, "rules": [{"any": ["x"]}]}),
        );
        assert!(sandbox.failure(URL).await.contains("\"url\""), "{schema}");
    }
    // Below the request the names are free.
    let nested = json!({"properties": {"headers": {"properties": {"url": {}}}}});
    sandbox.write(
        "root.json",
        json!({"schemas": {"x": nested}, "rules": [{"any": ["x"]}]}),
    );
    assert!(sandbox.allows(URL).await);
}

#[tokio::test]
async fn schemas_refer_to_one_another() {
    let sandbox = Sandbox::new();
    let account = json!({"properties": {"customMetadata": {"type": "object",
        "properties": {"account": {"const": "a@b"}}, "required": ["account"]}}, "required": ["customMetadata"]});
    sandbox.write(
        "root.json",
        json!({
            "schemas": {
                "base": path_schema("^/a"),
                "base:a@b": {"allOf": [{"$ref": "#/$defs/base"}, account]},
                "reach": {"properties": {"path": {"$ref": "#/$defs/base/properties/path"}}},
                "own": {"$defs": {"base": {"not": {}}}, "$ref": "#/$defs/base"},
            },
            "rules": [{"base:a@b": ["any"]}, {"own": ["any"]}, {"reach": []}, {"any": ["any"]}],
        }),
    );
    let request = |path: &str, account: Option<&str>| {
        let url = Url::parse("https://example.com")
            .and_then(|url| url.join(path))
            .expect("a URL");
        let metadata = account.map(|account| {
            [("account".to_owned(), json!(account))]
                .into_iter()
                .collect()
        });
        Request::new("GET", &url, std::iter::empty(), None, metadata)
    };
    for (path, account, decision) in [
        ("/a", Some("a@b"), Decision::Allowed),
        ("/a", Some("other"), Decision::Denied),
        ("/a", None, Decision::Denied),
        ("/b", None, Decision::Allowed),
    ] {
        assert_eq!(
            sandbox.decide(&request(path, account)).await,
            Ok(decision),
            "{path} {account:?}"
        );
    }
    sandbox.write(
        "root.json",
        json!({"schemas": {"x": {"$ref": "nope"}}, "rules": [{"any": ["x"]}]}),
    );
    assert!(sandbox.failure(URL).await.contains("nope"));
}

#[tokio::test]
async fn references_in_a_circle_are_a_failure_and_take_no_time() {
    let sandbox = Sandbox::new();
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/x"}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
    ] {
        sandbox.write(
            "root.json",
            json!({"schemas": {"x": schema}, "rules": [{"any": ["x"]}]}),
        );
        assert!(sandbox.failure(URL).await.contains("circle"), "{schema}");
    }
}

#[tokio::test]
async fn hooks_run_in_order_before_the_schemas() {
    let sandbox = Sandbox::new();
    let note = |name: &str, status: u8| {
        format!(
            "#!/bin/sh\necho {name} >> {}\nexit {status}\n",
            sandbox.path("ran").display()
        )
    };
    sandbox
        .script("yes", &note("yes", 0))
        .script("sub/no", &note("no", 1))
        .script("bad", &note("bad", 3))
        .script("killed", "#!/bin/sh\nkill -9 $$\n")
        .script("plain", "exit 0\n");
    let never = json!(["never"]);
    for (body, outcome, ran) in [
        (json!({"hooks": ["./yes"]}), Ok(Decision::Allowed), "yes\n"),
        (
            json!({"hooks": ["./yes", "./yes"], "schemas": never}),
            Ok(Decision::Denied),
            "yes\nyes\n",
        ),
        (
            json!({"hooks": ["./yes", "sub/no", "./bad"]}),
            Ok(Decision::Denied),
            "yes\nno\n",
        ),
        (
            json!({"hooks": ["./bad", "sub/no"]}),
            Err("status 3"),
            "bad\n",
        ),
        (json!({"hooks": ["./killed"]}), Err("signal 9"), ""),
        (json!({"hooks": ["./absent"]}), Err("cannot be run"), ""),
        (json!({"hooks": [""]}), Err("cannot be run"), ""),
        (json!({"hooks": ["true"]}), Ok(Decision::Allowed), ""),
        (json!({"hooks": ["false"]}), Ok(Decision::Denied), ""),
        (json!({"hooks": ["./plain"]}), Ok(Decision::Allowed), ""),
        (json!({"hooks": []}), Ok(Decision::Allowed), ""),
        (json!({"schemas": []}), Ok(Decision::Allowed), ""),
        (json!({"schemas": never}), Ok(Decision::Denied), ""),
        (
            json!({"hooks": [sandbox.path("yes")], "schemas": ["any"]}),
            Ok(Decision::Allowed),
            "yes\n",
        ),
    ] {
        sandbox.write("ran", "");
        sandbox.write(
            "root.json",
            json!({"schemas": {"never": {"not": {}}}, "rules": [{"any": body}, {"any": ["any"]}]}),
        );
        match (sandbox.get(URL).await, outcome) {
            (Ok(decision), Ok(expected)) => assert_eq!(decision, expected, "{body}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{body}: {error}")
            }
            (answer, expected) => panic!("{body}: {answer:?} instead of {expected:?}"),
        }
        assert_eq!(
            fs::read_to_string(sandbox.path("ran")).expect("the notes"),
            ran,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_hook_sees_the_request_in_a_private_file_that_goes_away() {
    let sandbox = Sandbox::new();
    sandbox.script(
        "hook",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\ncp \"$1\" seen\nstat -c %a \"$1\" > mode\necho \"$1\" > name\n",
    );
    sandbox.write(
        "root.json",
        json!({"rules": [{"any": {"hooks": ["./hook"]}}]}),
    );
    assert!(
        sandbox
            .allows("https://u:p@example.com:8443/a%20b?x=1&x=2+3")
            .await
    );
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).expect("written by the hook");
    assert_eq!(
        serde_json::from_str::<Value>(&read("seen")).expect("JSON"),
        json!({"protocol": "https", "domain": "example.com", "port": 8443, "path": "/a%20b", "method": "GET",
               "headers": {}, "queryParams": {"x": "2 3"}})
    );
    assert_eq!(read("mode"), "600\n");
    assert!(!std::path::Path::new(read("name").trim()).exists());
}

#[tokio::test]
async fn hooks_and_includes_follow_the_name_of_a_file_and_not_its_link() {
    let sandbox = Sandbox::new();
    sandbox
        .script("handles/hook", "#!/bin/sh\nexit 0\n")
        .script("hosts/hook", "#!/bin/sh\nexit 1\n")
        .write(
            "hosts/file.json",
            json!({"include": ["more.json"], "rules": [{"any": {"hooks": ["./hook"]}}]}),
        )
        .write("hosts/more.json", json!({"rules": [{"any": []}]}));
    let handle = sandbox.path("handles/handle.json");
    std::os::unix::fs::symlink(sandbox.path("hosts/file.json"), &handle).expect("a link");
    assert_eq!(
        sandbox.engine.decide(&handle, &get(URL)).await,
        Ok(Decision::Allowed)
    );
}

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

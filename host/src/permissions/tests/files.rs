//! Files and their includes: what is refused, what wins, and when a change shows.

use std::fs;

use serde_json::json;

use super::{Sandbox, URL, path_schema};

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

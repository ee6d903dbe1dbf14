//! `permissions test`: a policy held to named cases, and what changed since another policy.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use end_to_end::{Home, Outcome};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";

fn test(home: &Home, arguments: &[&str]) -> Outcome {
    home.cli(["permissions", "test"].iter().chain(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn lines(outcome: &Outcome) -> Vec<Value> {
    outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {outcome}")))
        .collect()
}

fn case(name: &str, method: &str, url: &str, expect: &str) -> Value {
    json!({"name": name, "request": {"method": method, "url": url}, "expect": expect})
}

/// Reading Slack is allowed, writing is not.
fn cases() -> Value {
    let mut rule = case(
        "lists channels",
        "GET",
        "https://slack.com/api/conversations.list",
        "allow",
    );
    rule["rule"] = json!("slack-api");
    let mut elsewhere = case(
        "reaches nothing else",
        "GET",
        "https://example.org/",
        "deny",
    );
    elsewhere["rule"] = json!(null);
    json!([
        rule,
        case(
            "posts nothing",
            "POST",
            "https://slack.com/api/chat.postMessage",
            "deny"
        ),
        elsewhere,
    ])
}

fn policy(home: &Home, name: &str, permissions: Value) -> String {
    let file = home.write(
        name,
        &json!({"rules": [{"slack-api": permissions}]}).to_string(),
        0o600,
    );
    text(&file).to_owned()
}

#[test]
fn a_policy_that_keeps_to_its_cases_passes_and_one_that_does_not_fails_by_name() {
    let home = Home::new();
    policy(&home, "policies/read.json", json!(["slack-read-all"]));
    let write = policy(
        &home,
        "policies/write.json",
        json!(["slack-read-all", "slack-write-all"]),
    );
    let file = json!({"permissions": "read.json", "cases": cases()});
    let file = home.write("policies/cases.json", &file.to_string(), 0o644);
    let passed = test(&home, &[text(&file)]).expect_success();
    assert_eq!(passed.line(), "3 cases: 3 as expected, 0 failed");

    let failed = test(&home, &[text(&file), "--file", &write]).expect_code(1);
    let printed: Vec<_> = failed.stdout.lines().collect();
    let [failure, summary] = printed.as_slice() else {
        panic!("{failed}");
    };
    for part in [
        "FAILED",
        "posts nothing",
        "expected deny, got allow",
        "rule 0",
        "slack-write-all",
    ] {
        assert!(failure.contains(part), "{part}: {failed}");
    }
    assert_eq!(*summary, "3 cases: 2 as expected, 1 failed");
    assert_eq!(failed.stderr, "");
}

#[test]
fn programs_get_an_object_a_case_in_order() {
    let home = Home::new();
    let read = policy(&home, "read.json", json!(["slack-read-all"]));
    let file = home.write("cases.json", &json!({"cases": cases()}).to_string(), 0o644);
    let outcome =
        test(&home, &[text(&file), "--file", &read, "--format", "jsonl"]).expect_success();
    let printed = lines(&outcome);
    let names: Vec<_> = printed.iter().map(|case| &case["name"]).collect();
    assert_eq!(
        names,
        ["lists channels", "posts nothing", "reaches nothing else"]
    );
    assert_eq!(
        printed[0],
        json!({
            "name": "lists channels",
            "request": {"method": "GET", "url": "https://slack.com/api/conversations.list"},
            "expected": {"verdict": "allow", "rule": "slack-api"},
            "passed": true,
            "verdict": "allow",
            "rule": {"index": 0, "scope": "slack-api", "file": read},
            "matched": "slack-read-all",
        })
    );
}

#[test]
fn what_changed_since_another_policy_is_listed_even_where_all_is_as_expected() {
    let home = Home::new();
    let read = policy(&home, "read.json", json!(["slack-read-all"]));
    let nothing = policy(&home, "nothing.json", json!([]));
    let file = home.write("cases.json", &json!({"cases": cases()}).to_string(), 0o644);
    let arguments = [text(&file), "--file", &read, "--against", &nothing];
    let outcome = test(&home, &arguments).expect_success();
    let changed: Vec<_> = outcome
        .stdout
        .lines()
        .filter(|line| line.starts_with("CHANGED"))
        .collect();
    let [changed] = changed.as_slice() else {
        panic!("{outcome}");
    };
    assert!(
        changed.contains("lists channels") && changed.contains("deny -> allow"),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("1 changed since"), "{outcome}");

    let json = lines(&test(
        &home,
        &[arguments.as_slice(), &["--format", "json"]].concat(),
    ));
    let changed: Vec<_> = json.iter().map(|case| case["changed"] == true).collect();
    assert_eq!(changed, [true, false, false]);
    assert_eq!(json[0]["against"]["verdict"], "deny");
    assert_eq!(json[0]["against"]["rule"]["file"], nothing.as_str());
}

#[test]
fn hooks_run_unless_they_are_switched_off() {
    let home = Home::new();
    let hook = home.write("hook", "#!/bin/sh\nexit 0\n", 0o755);
    assert_eq!(hook.metadata().unwrap().permissions().mode() & 0o111, 0o111);
    let policy = json!({"rules": [{"slack-api": {"hooks": ["./hook"]}}, {"any": ["any"]}]});
    let policy = home.write("policy.json", &policy.to_string(), 0o600);
    let cases = json!([
        case(
            "asks the hook",
            "GET",
            "https://slack.com/api/auth.test",
            "allow"
        ),
        case("asks no hook", "GET", "https://example.org/", "allow"),
    ]);
    let file = home.write("cases.json", &json!({"cases": cases}).to_string(), 0o644);
    let arguments = [text(&file), "--file", text(&policy)];
    test(&home, &arguments).expect_success();
    let switched_off = [arguments.as_slice(), &["--no-hooks", "--format", "json"]].concat();
    let printed = lines(&test(&home, &switched_off).expect_code(1));
    assert_eq!(printed[0]["verdict"], "error");
    assert!(
        printed[0]["error"]
            .as_str()
            .unwrap()
            .contains("switched off"),
        "{printed:?}"
    );
    assert_eq!(printed[1]["passed"], true, "{printed:?}");
}

#[test]
fn a_file_that_cannot_decide_answers_error_and_a_case_may_expect_that() {
    let home = Home::new();
    let broken = home.write("broken.json", r#"{"rules": [{"slak-api": []}]}"#, 0o600);
    let cases = json!([case(
        "is broken",
        "GET",
        "https://slack.com/api/auth.test",
        "error"
    )]);
    let file = home.write("cases.json", &json!({"cases": cases}).to_string(), 0o644);
    test(&home, &[text(&file), "--file", text(&broken)]).expect_success();
}

#[test]
fn a_host_may_be_what_is_tested() {
    let home = Home::new();
    let content = json!({"rules": [{"slack-api": ["slack-read-all"]}]});
    home.permissions_file(&format!("hosts/{HOST}/latchkey_permissions.json"), &content);
    let file = home.write("cases.json", &json!({"cases": cases()}).to_string(), 0o644);
    test(&home, &[text(&file), "--host-id", HOST]).expect_success();
}

#[test]
fn cases_that_cannot_be_used_are_no_test() {
    let home = Home::new();
    let read = policy(&home, "read.json", json!(["slack-read-all"]));
    let twice = case("once", "GET", "https://e.de/", "deny");
    for (content, word) in [
        (json!({"cases": []}).to_string(), "#/cases is empty"),
        ("{".to_owned(), "not valid JSON"),
        (
            json!({"cases": [twice, twice]}).to_string(),
            "#/cases/1/name",
        ),
        (
            json!({"cases": [case("x", "GET", "https://e.de/", "maybe")]}).to_string(),
            "#/cases/0/expect",
        ),
        (
            json!({"cases": [case("x", "GET", "nowhere", "deny")]}).to_string(),
            "#/cases/0/request",
        ),
    ] {
        let file = home.write("cases.json", &content, 0o644);
        let outcome = test(&home, &[text(&file), "--file", &read]).expect_code(2);
        assert_eq!(outcome.stdout, "", "{outcome}");
        assert!(
            outcome.stderr.starts_with("Error: ") && outcome.stderr.contains(word),
            "{word}: {outcome}"
        );
    }
    let file = home.write("cases.json", &json!({"cases": cases()}).to_string(), 0o644);
    let outcome = test(&home, &[text(&file)]).expect_code(2);
    assert!(outcome.stderr.contains("--file"), "{outcome}");
    for arguments in [["--file", "absent.json"], ["--against", "absent.json"]] {
        let with_file = ["--file", read.as_str()];
        let arguments = match arguments {
            ["--file", _] => [&[text(&file)], arguments.as_slice()].concat(),
            _ => [&[text(&file)], with_file.as_slice(), arguments.as_slice()].concat(),
        };
        let outcome = test(&home, &arguments).expect_code(2);
        assert!(outcome.stderr.contains("absent.json"), "{outcome}");
    }
    test(&home, &["absent.json"]).expect_code(2);
    test(&home, &[]).expect_usage_error("Error: Missing argument 'CASES'.");
}

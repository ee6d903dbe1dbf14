//! `permissions check`: one verdict a request, for people, programs and shell scripts.

use std::path::Path;

use end_to_end::{Home, Outcome, mode};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";

fn check(home: &Home, file: &Path, arguments: &[&str]) -> Outcome {
    home.command(["permissions", "check", "--file"])
        .argument(file)
        .arguments(arguments)
        .run()
}

fn lines(outcome: &Outcome) -> Vec<Value> {
    outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {outcome}")))
        .collect()
}

#[test]
fn the_exit_code_of_a_single_request_is_its_verdict() {
    let home = Home::new();
    let policy = json!({"rules": [{"slack-api": ["slack-read-all"]}, {"discord-api": {"hooks": ["./absent"]}}]});
    let file = home.permissions_file("policy.json", &policy);
    for (url, code, word) in [
        ("https://slack.com/api/conversations.list", 0, "allow"),
        ("https://slack.com/api/chat.postMessage", 1, "deny"),
        ("https://e.de/", 1, "deny"),
        ("https://discord.com/api/v10/users/@me", 2, "error"),
        ("no URL", 2, "error"),
    ] {
        let outcome = check(&home, &file, &["--url", url]).expect_code(code);
        assert!(outcome.stdout.starts_with(word), "{outcome}");
        let json = check(&home, &file, &["--url", url, "--format", "json"]).expect_code(code);
        assert_eq!(json.json()["verdict"], word, "{json}");
    }
}

#[test]
fn a_verdict_names_the_rule_its_file_and_what_matched() {
    let home = Home::new();
    let shared = home.permissions_file(
        "shared.json",
        &json!({"rules": [{"discord-api": []}, {"slack-api": ["slack-write-all", "slack-read-all"]}]}),
    );
    let file = home.permissions_file("policy.json", &json!({"include": ["shared.json"]}));
    let asked = |url: &str| {
        let arguments = ["--url", url, "--format", "jsonl"];
        check(&home, &file, &arguments).json()
    };
    let rule = json!({"index": 1, "scope": "slack-api", "file": shared.to_str().unwrap()});
    assert_eq!(
        asked("https://slack.com/api/conversations.list"),
        json!({"verdict": "allow", "rule": rule, "matched": "slack-read-all"})
    );
    assert_eq!(
        asked("https://e.de"),
        json!({"verdict": "deny", "rule": null, "matched": null})
    );
}

#[test]
fn many_requests_are_answered_in_order_and_a_broken_line_stops_no_other() {
    let home = Home::new();
    let policy = json!({
        "schemas": {
            "posts": {"properties": {
                "method": {"const": "POST"},
                "headers": {"properties": {"x-a": {"const": "1, 2"}}, "required": ["x-a"]},
                "parsedBody": {"properties": {"n": {"const": 1}}, "required": ["n"]},
                "customMetadata": {"properties": {"account": {"const": "me"}}, "required": ["account"]}
            }, "required": ["method", "headers", "parsedBody", "customMetadata"]},
            "own": {"properties": {"domain": {"const": "latchkey-self.invalid"}, "port": {"const": 1}}}
        },
        "rules": [{"own": ["any"]}, {"any": ["posts"]}]
    });
    let file = home.permissions_file("policy.json", &policy);
    let post = json!({
        "method": "POST", "url": "https://e.de/", "account": "me", "body": "{\"n\": 1}",
        "headers": {"X-A": ["1", "2"], "Content-Type": "application/json"}
    });
    let mut other_account = post.clone();
    other_account["account"] = "you".into();
    let requests = format!(
        "{post}\nnonsense\n\n{other_account}\n{}\n{}\n{}",
        json!({"method": "GET", "url": "/permissions/self"}),
        json!({"method": "GET", "url": "https://e.de", "headers": {"a b": "c"}}),
        json!({"method": "GE T", "url": "https://e.de"}),
    );
    let requests = home.write("requests.jsonl", &requests, 0o600);
    let arguments = [
        "--format",
        "jsonl",
        "--requests",
        requests.to_str().unwrap(),
    ];
    let outcome = check(&home, &file, &arguments).expect_code(2);
    let answers = lines(&outcome);
    let verdicts: Vec<_> = answers.iter().map(|answer| &answer["verdict"]).collect();
    let expected = ["allow", "error", "deny", "allow", "error", "error"];
    assert_eq!(verdicts, expected, "{outcome}");
    assert!(
        answers[1]["error"].as_str().unwrap().contains("line 2"),
        "{outcome}"
    );
}

#[test]
fn many_denials_are_no_failure_and_standard_input_is_read() {
    let home = Home::new();
    let file = home.permissions_file("policy.json", &json!({"rules": []}));
    let requests = format!("{}\n", json!({"method": "GET", "url": "https://e.de"})).repeat(300);
    let requests = home.write("requests.jsonl", &requests, 0o600);
    let outcome = home
        .command([
            "permissions",
            "check",
            "--requests",
            "-",
            "--format",
            "jsonl",
            "--file",
        ])
        .argument(&file)
        .input(&requests)
        .run()
        .expect_success();
    assert_eq!(lines(&outcome).len(), 300, "{outcome}");
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_for_each_request() {
    let home = Home::new();
    let unknown = home.permissions_file("unknown.json", &json!({"rules": [{"any": ["no-such"]}]}));
    for (file, detail) in [
        (unknown, "unknown schema \"no-such\""),
        (
            home.path().join("absent.json"),
            "there is no permissions file",
        ),
    ] {
        let arguments = ["--url", "https://e.de", "--format", "json"];
        let answer = check(&home, &file, &arguments).expect_code(2).json();
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(detail), "{answer}");
        assert!(error.contains(file.to_str().unwrap()), "{answer}");
    }
}

#[test]
fn hooks_have_their_say() {
    let home = Home::new();
    let hook = home.write(
        "latchkey/mngr_latchkey/hook",
        "#!/bin/sh\ngrep -q '\"path\":\"/yes\"' \"$1\"\n",
        0o700,
    );
    assert_eq!(mode(&hook), 0o700);
    let file = home.permissions_file(
        "policy.json",
        &json!({"rules": [{"any": {"hooks": ["./hook"]}}]}),
    );
    check(&home, &file, &["--url", "https://e.de/yes"]).expect_code(0);
    let outcome = check(&home, &file, &["--url", "https://e.de/no"]).expect_code(1);
    assert!(outcome.stdout.contains("./hook"), "{outcome}");
}

#[test]
fn the_file_of_a_host_and_that_of_an_agent_are_found() {
    let home = Home::new();
    let created = home.cli(["create-agent-env"]).expect_success();
    let handle = created.json()["opaque_permissions_path"]
        .as_str()
        .unwrap()
        .to_owned();
    let printed = home.write("agent-env.json", &created.stdout, 0o600);
    let own = ["--url", "/permissions/self"];
    home.command(["permissions", "check", "--agent-env"])
        .argument(printed)
        .arguments(own)
        .run()
        .expect_success();
    let of_host = || {
        home.cli(
            ["permissions", "check", "--host-id", HOST]
                .into_iter()
                .chain(own),
        )
    };
    of_host().expect_code(2);
    home.cli([
        "link-permissions",
        "--host-id",
        HOST,
        "--opaque-path",
        &handle,
    ])
    .expect_success();
    of_host().expect_success();
}

#[test]
fn what_is_asked_must_be_said() {
    let home = Home::new();
    let file = home.permissions_file("policy.json", &json!({}));
    home.cli(["permissions", "check", "--url", "https://e.de"])
        .expect_usage_error("Error: Missing option '--file'.");
    check(&home, &file, &[]).expect_usage_error("Error: Missing option '--requests'.");
    let outcome = check(
        &home,
        &file,
        &["--url", "https://e.de", "--header", "secret"],
    )
    .expect_code(2);
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
}

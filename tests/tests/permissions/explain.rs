//! `permissions explain`: the reasons for a verdict, advice that helps when it is followed, and denials of the past.

use std::fs;
use std::path::Path;

use end_to_end::{Agent, Cli, Gateway, Home, Outcome, eventually, program, read_json};
use serde_json::{Value, json};

const NOTION: &str = "https://api.notion.com/v1/pages/1";

fn explain(home: &Home, file: &Path, arguments: &[&str]) -> Outcome {
    home.command(["permissions", "explain", "--file"])
        .argument(file)
        .arguments(arguments)
        .run()
}

/// What is advised about a request that is denied.
#[track_caller]
fn advice(home: &Home, file: &Path, method: &str, url: &str, mistake: &str) -> Value {
    let arguments = ["--method", method, "--url", url, "--format", "json"];
    let outcome = explain(home, file, &arguments).expect_code(1);
    let explanation = outcome.json();
    let advice = explanation["advice"].as_array().expect("a list").iter();
    let mut found = advice.filter(|advice| advice["mistake"] == mistake);
    let advice = found
        .next()
        .unwrap_or_else(|| panic!("no {mistake}: {outcome}"));
    // People read the same sentence.
    let text = explain(home, file, &arguments[..4]).expect_code(1);
    let sentence = advice["sentence"].as_str().expect("a sentence");
    assert!(text.stdout.contains(&format!("  - {sentence}\n")), "{text}");
    advice.clone()
}

/// Changes the file, or the request, as one change of an advice says.
fn follow(change: &Value, file: &mut Value, method: &mut String, url: &mut String) {
    let text = |name: &str| change[name].as_str().expect("text").to_owned();
    let index = |name: &str| {
        let index = change[name]["index"].as_u64().expect("an index");
        usize::try_from(index).expect("a small one")
    };
    match text("kind").as_str() {
        "request" if change["property"] == "method" => *method = text("value"),
        "request" => {
            assert_eq!(change["property"], "path");
            let origin: Vec<&str> = url.splitn(4, '/').take(3).collect();
            *url = format!("{}{}", origin.join("/"), text("value"));
        }
        "schema" => {
            let place = text("place").replacen('#', &format!("/schemas/{}", text("schema")), 1);
            *file.pointer_mut(&place).expect("the place") = change["value"].clone();
        }
        "add_permission" => {
            let scope = change["rule"]["scope"].as_str().expect("a scope");
            let list = file["rules"][index("rule")][scope].as_array_mut();
            list.expect("a list").push(json!(text("permission")));
        }
        "move_rule" => {
            let rules = file["rules"].as_array_mut().expect("rules");
            let rule = rules.remove(index("rule"));
            rules.insert(index("before"), rule);
        }
        "grant" => {
            let rules = file["rules"].as_array_mut().expect("rules");
            let own = rules
                .iter_mut()
                .find_map(|rule| rule.get_mut(text("scope")));
            match own {
                Some(list) => list
                    .as_array_mut()
                    .expect("a list")
                    .push(json!(text("permission"))),
                None => rules.push(json!({text("scope"): [text("permission")]})),
            }
        }
        other => panic!("{other}"),
    }
}

/// Each change of an advice, followed by itself, lets the request through.
#[track_caller]
fn assert_helps(home: &Home, policy: &Value, method: &str, url: &str, advice: &Value) {
    let changes = advice["changes"].as_array().expect("changes");
    assert!(!changes.is_empty(), "{advice}");
    for change in changes {
        let (mut policy, mut method, mut url) = (policy.clone(), method.to_owned(), url.to_owned());
        follow(change, &mut policy, &mut method, &mut url);
        let file = home.permissions_file("changed.json", &policy);
        let outcome = home
            .command(["permissions", "check", "--file"])
            .argument(file)
            .arguments(["--method", &method, "--url", &url])
            .run();
        assert_eq!(outcome.status.code(), Some(0), "{change}: {outcome}");
    }
}

fn path_policy(pattern: &str) -> Value {
    let schema = json!({"properties": {"path": {"type": "string", "pattern": pattern}}, "required": ["path"]});
    json!({"schemas": {"mine": schema}, "rules": [{"any": ["mine"]}]})
}

/// Asks about a request that the policy denies, and follows the advice.
#[track_caller]
fn check(policy: &Value, method: &str, url: &str, mistake: &str, expected: &[&str]) {
    let home = Home::new();
    let file = home.permissions_file("policy.json", policy);
    let advice = advice(&home, &file, method, url, mistake);
    let sentence = advice["sentence"].as_str().expect("a sentence");
    for part in expected {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert_helps(&home, policy, method, url, &advice);
}

#[test]
fn an_earlier_rule_that_shadows_a_later_one_is_named_with_what_to_do() {
    check(
        &json!({"rules": [{"notion-api": ["notion-write-all"]}, {"notion-api": ["notion-read-all"]}]}),
        "GET",
        NOTION,
        "shadowed",
        &[
            "rule 1 (scope \"notion-api\") would allow it by \"notion-read-all\"",
            "rule 0 (scope \"notion-api\") comes first",
            "add \"notion-read-all\" to rule 0",
        ],
    );
}

#[test]
fn a_path_that_is_encoded_in_another_way_is_named_with_the_spelling_that_matches() {
    check(
        &path_policy("^/user%40host$"),
        "GET",
        "https://example.com/user@host",
        "percent_encoding",
        &["\"/user%40host\" would be allowed"],
    );
    check(
        &path_policy("^/caf\u{e9} noir$"),
        "GET",
        "https://example.com/caf%C3%A9%20noir",
        "percent_encoding",
        &["put \"^/caf%C3%A9%20noir$\" at #/properties/path/pattern of \"mine\""],
    );
}

#[test]
fn a_slash_at_the_end_is_named_with_both_ways_out() {
    check(
        &path_policy("^/a$"),
        "GET",
        "https://example.com/a/",
        "trailing_slash",
        &[
            "send it as \"/a\"",
            "put \"^/a/?$\" at #/properties/path/pattern",
        ],
    );
}

#[test]
fn a_wrong_method_is_named_with_those_that_are_allowed_and_the_permission_that_is_missing() {
    check(
        &json!({"rules": [{"notion-api": ["notion-read-pages"]}]}),
        "PATCH",
        NOTION,
        "method",
        &[
            "PATCH is not allowed here, GET and HEAD are",
            "grant \"notion-write-pages\" under \"notion-api\"",
        ],
    );
}

#[test]
fn a_missing_scope_is_named_as_the_catalog_has_it() {
    check(
        &json!({"rules": [{"slack-api": ["slack-read-all"]}]}),
        "GET",
        NOTION,
        "missing_scope",
        &[
            "no rule's scope matches this request to api.notion.com",
            "grant \"notion-read-pages\" under it",
        ],
    );
}

#[test]
fn people_see_each_rule_with_the_keyword_and_place_that_decides() {
    let home = Home::new();
    let policy = json!({
        "schemas": {"mine": {"properties": {"path": {"pattern": "^/a$"}, "method": {"enum": ["GET", "HEAD"]}}}},
        "rules": [{"notion-api": ["any"]}, {"any": {"hooks": ["true"], "schemas": ["mine"]}}, {"any": ["any"]}],
    });
    let file = home.permissions_file("policy.json", &policy);
    let request = [
        "--method",
        "PUT",
        "--url",
        "https://example.com/a/",
        "--header",
        "Authorization: s3cret",
    ];
    let outcome = explain(&home, &file, &request).expect_code(1);
    for expected in [
        "deny   PUT https://example.com/a/\n",
        "domain: \"example.com\" is not \"api.notion.com\"  (#/properties/domain/const)\n",
        "✓ hook true  passed\n",
        "path: \"/a/\" does not match ^/a$  (#/properties/path/pattern)\n",
        "method: \"PUT\" is not one of GET, HEAD  (#/properties/method/enum)\n",
        "not asked; it would allow this\n",
        "authorization  <hidden>\n",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}{outcome}");
    }
    let text = format!("{outcome}");
    assert!(
        !text.contains("s3cret\n") && !outcome.stdout.contains("s3cret"),
        "{text}"
    );
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
}

#[test]
fn rules_for_other_hosts_take_one_line_unless_all_is_asked_for() {
    let home = Home::new();
    let host =
        |number: u8| json!({"properties": {"domain": {"const": format!("h{number}.example.com")}}});
    let schemas: serde_json::Map<_, _> = (0..9)
        .map(|number| (format!("s{number}"), host(number)))
        .collect();
    let rules: Vec<_> = (0..9)
        .map(|number| json!({format!("s{number}"): []}))
        .collect();
    let file = home.permissions_file("policy.json", &json!({"schemas": schemas, "rules": rules}));
    let short = explain(&home, &file, &["--url", "https://h8.example.com/"]).expect_code(1);
    let expected = "  ✗ 0–7  8 rules for other hosts; -v shows each\n  ✓  8  s8  its scope matches, so it decides\n";
    assert!(short.stdout.contains(expected), "{short}");
    let whole = explain(&home, &file, &["--url", "https://h8.example.com/", "-v"]).expect_code(1);
    assert!(whole.stdout.contains("\n  ✗  7  s7  domain: "), "{whole}");
}

#[test]
fn the_exit_code_is_the_verdict_and_hooks_that_were_not_run_leave_it_open() {
    let home = Home::new();
    let policy = json!({"rules": [{"any": {"hooks": ["./hook"]}}]});
    let file = home.permissions_file("policy.json", &policy);
    let ran = home.path().join("ran");
    let hook = file.with_file_name("hook");
    fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", ran.display())).expect("written");
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    let outcome = explain(&home, &file, &["--url", "https://e.de/", "--no-hooks"]).expect_code(2);
    assert!(outcome.stdout.contains("./hook  not run"), "{outcome}");
    assert!(!ran.exists(), "the hook ran");
    let outcome = explain(&home, &file, &["--url", "https://e.de/"]).expect_code(0);
    assert!(outcome.stdout.contains("./hook  passed"), "{outcome}");
    assert!(ran.exists(), "the hook did not run");
    let outcome = explain(&home, &home.path().join("absent.json"), &["--url", "/"]).expect_code(2);
    assert!(
        outcome.stdout.contains("there is no permissions file at"),
        "{outcome}"
    );
    home.command(["permissions", "explain", "--url", "/"])
        .run()
        .expect_code(2);
    explain(&home, &file, &[]).expect_usage_error("Error: Missing option '--url'.");
}

/// Runs a command that was printed, as the agent or the operator would.
fn shell(gateway: &Gateway, agent: &Agent, command: &Value) -> Outcome {
    let command = command.as_str().expect("a command");
    let command = command.replacen("mngr-latchkey", "\"$PROGRAM\"", 1);
    let shell = Cli::program("/bin/sh", gateway.home().path()).arguments(["-c", &command]);
    let variables = agent.environment.iter();
    variables
        .fold(shell, |shell, (name, value)| shell.environment(name, value))
        .environment("LATCHKEY_GATEWAY", format!("http://{}", gateway.address()))
        .environment("MNGR_AGENT_ID", &agent.id)
        .environment("PROGRAM", program())
        .environment(
            "MNGR_LATCHKEY_DIRECTORY",
            gateway.home().latchkey_directory(),
        )
        .run()
        .expect_success()
}

#[tokio::test]
async fn the_commands_that_ask_and_grant_work_as_they_are_printed() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    for (url, payload) in [
        (
            NOTION,
            json!({"scope": "notion-api", "permissions": ["notion-read-pages"]}),
        ),
        (
            "/minds-api-proxy/api/v1/files/home/it's%20mine",
            json!({"path": "/home/it's mine", "access": "READ"}),
        ),
    ] {
        let explain = |code| {
            let arguments = [
                "permissions",
                "explain",
                "--host-id",
                &agent.host_id,
                "--url",
                url,
            ];
            gateway
                .cli(arguments.into_iter().chain(["--format", "json"]))
                .expect_code(code)
                .json()
        };
        let commands = &explain(1)["commands"];
        let answer = shell(&gateway, &agent, &commands["ask"]);
        let pending = gateway.admin().pending().await;
        let asked = pending.iter().find(|request| request["payload"] == payload);
        let asked = asked.unwrap_or_else(|| panic!("{pending:?} {answer}"));
        assert_eq!(asked["agent_id"], json!(agent.id));
        shell(&gateway, &agent, &commands["grant"]);
        explain(0);
    }
}

#[tokio::test]
async fn a_denial_of_the_past_is_explained_by_what_was_decided_then_and_what_is_now() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let answer = agent
        .get("/permissions/available?token=s3cret")
        .await
        .expect(403);
    let id = answer.header("x-latchkey-gateway-request-id").to_owned();
    let explain = |arguments: &[&str]| {
        let command = ["permissions", "explain", "--request-id", &id];
        gateway.cli(command.iter().chain(arguments))
    };
    eventually("the log has the denial", async || {
        explain(&[]).status.code() == Some(1)
    })
    .await;
    let outcome = explain(&["--format", "json"]).expect_code(1);
    let explanation = outcome.json();
    assert_eq!(explanation["recorded"]["request_id"], json!(id));
    assert_eq!(explanation["recorded"]["verdict"], "deny");
    assert_eq!(explanation["recorded"]["rule"]["scope"], "latchkey-self");
    assert_eq!(
        explanation["recorded"]["withheld"][0]["at"],
        "/queryParams/token"
    );
    assert_eq!(explanation["rule"]["scope"], "latchkey-self");
    let text = explain(&[]);
    assert!(text.stdout.starts_with("then   deny at "), "{text}");
    assert!(text.stdout.contains("\nnow    deny   GET "), "{text}");
    assert!(!text.stdout.contains("s3cret"), "{text}");

    let mut file = read_json(&agent.permissions);
    file["rules"] = json!([{"latchkey-self": ["any"]}]);
    fs::write(&agent.permissions, file.to_string()).expect("written");
    let text = explain(&[]).expect_code(0);
    assert!(text.stdout.contains("\nnow    allow  GET "), "{text}");
    // Another file can be asked about the same request.
    let other = gateway.home().permissions_file("other.json", &json!({}));
    let other = other.to_str().expect("text");
    explain(&["--file", other]).expect_code(1);
}

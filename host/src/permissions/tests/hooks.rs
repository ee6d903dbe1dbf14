//! Hooks: their order, their verdicts, and what they see.

use std::fs;

use serde_json::{Value, json};

use super::super::Decision;
use super::{Sandbox, URL, get};

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

//! The scripts in `tests/clients`: what a program of an agent's does that has never heard of a gateway's insides. They find
//! their way by the variables that `create-agent-env` gives them.

use end_to_end::{Ended, Program, Tally};
use std::path::Path;

use serde_json::{Value, json};

use crate::stage::Stage;

const PYTHON: &str = "python_requests.py";
const NODE: &str = "node_fetch.mjs";
const LARGE: u64 = 64 * 1024 * 1024;

/// A script with the agent's environment.
pub async fn script<const N: usize>(stage: &Stage, name: &str, task: [&str; N]) -> Program {
    let home = stage.gateway.home().path();
    let interpreter = match name {
        PYTHON => python(home).await,
        _ => "node",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name);
    let headers = stage.agent.header_lines();
    let header = |wanted: &str| {
        let mut fields = headers.lines().filter_map(|line| line.split_once(": "));
        let field = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        field.expect("an agent has such a header").1.to_owned()
    };
    Program::new(interpreter, home)
        .arguments([path])
        .arguments(task)
        .environment("AGENT_ID", &stage.agent.id)
        .environment(
            "LATCHKEY_GATEWAY",
            format!("http://{}", stage.gateway.address()),
        )
        .environment(
            "LATCHKEY_GATEWAY_PASSWORD",
            header("x-latchkey-gateway-password"),
        )
        .environment(
            "LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE",
            header("x-latchkey-gateway-permissions-override"),
        )
}

/// The first Python that has `requests`: Debian's package is seen by Debian's Python alone.
async fn python(home: &Path) -> &'static str {
    for interpreter in ["python3", "/usr/bin/python3"] {
        let asked = Program::new(interpreter, home).arguments(["-c", "import requests"]);
        if asked.run().await.status.success() {
            return interpreter;
        }
    }
    panic!("no python3 has `requests`; tests/run says how to get it");
}

async fn results<const N: usize>(stage: &Stage, name: &str, task: [&str; N]) -> Value {
    let ended: Ended = script(stage, name, task).await.run().await;
    ended.expect_success().json()
}

/// Many requests of all kinds go over one connection, and each gets its own answer.
async fn makes_many_calls_over_one_connection(name: &str) {
    let stage = Stage::set().await;
    let result = results(&stage, name, ["calls", "300"]).await;
    assert_eq!(result["connections"], 1, "{result}");
    let answers = result["answers"].as_array().expect("a list");
    assert_eq!(answers.len(), 300, "{result}");
    for (number, answer) in answers.iter().enumerate() {
        let method = ["GET", "POST", "PUT", "DELETE", "OPTIONS"][number % 5];
        let id = &stage.agent.id;
        let target = format!("/api/v1/agents/{id}/request?number={number}&name=caf%C3%A9");
        assert_eq!(answer["method"], method, "{answer}");
        assert_eq!(answer["target"], target, "{answer}");
        let bytes = match method {
            "POST" | "PUT" => number,
            _ => 0,
        };
        assert_eq!(answer["bytes"], bytes, "{answer}");
    }
}

/// A body of unknown and one of known length arrive whole.
async fn uploads_large_bodies(name: &str) {
    let stage = Stage::set().await;
    for framing in ["chunked", "sized"] {
        let result = results(&stage, name, ["upload", framing, &LARGE.to_string()]).await;
        let (sent, seen) = (&result["sent"], &result["answer"]);
        assert_eq!(seen["bytes"], LARGE, "{result}");
        assert_eq!(seen["sha256"], *sent, "{result}");
        assert_eq!(seen["chunked"], framing == "chunked", "{result}");
    }
}

/// A body much larger than the script's memory may grow arrives whole.
async fn downloads_a_large_body(name: &str) {
    let stage = Stage::set().await;
    let result = results(&stage, name, ["download", &LARGE.to_string()]).await;
    let (bytes, digest) = Tally::of(0..LARGE);
    assert_eq!(result, json!({"bytes": bytes, "sha256": digest}));
}

#[tokio::test]
async fn requests_makes_many_calls_over_one_connection() {
    makes_many_calls_over_one_connection(PYTHON).await;
}

#[tokio::test]
async fn fetch_makes_many_calls_over_one_connection() {
    makes_many_calls_over_one_connection(NODE).await;
}

#[tokio::test]
async fn requests_uploads_large_bodies() {
    uploads_large_bodies(PYTHON).await;
}

#[tokio::test]
async fn fetch_uploads_large_bodies() {
    uploads_large_bodies(NODE).await;
}

#[tokio::test]
async fn requests_downloads_a_large_body() {
    downloads_a_large_body(PYTHON).await;
}

#[tokio::test]
async fn fetch_downloads_a_large_body() {
    downloads_a_large_body(NODE).await;
}

/// The script sends a piece when a second, long-polling request has told it that the last one has arrived.
#[tokio::test]
async fn requests_sends_a_body_that_arrives_as_it_is_made() {
    let stage = Stage::set().await;
    let result = results(&stage, PYTHON, ["lockstep", "10"]).await;
    assert_eq!(result["arrived"], json!((1..=10).collect::<Vec<_>>()));
    assert_eq!(result["answer"]["bytes"], 10, "{result}");
}

/// The script sends a piece when the last one has come back in the answer to the same request.
#[tokio::test]
async fn fetch_sends_and_receives_at_once() {
    let stage = Stage::set().await;
    let result = results(&stage, NODE, ["mirror", "10"]).await;
    let expected: Vec<String> = (0..10).map(|number| format!("piece {number}")).collect();
    assert_eq!(result, json!({"returned": expected}));
}

/// A refusal is an answer like any other to both.
#[tokio::test]
async fn scripts_read_the_reason_of_a_refusal() {
    let stage = Stage::set().await;
    for name in [PYTHON, NODE] {
        let result = results(&stage, name, ["refusal"]).await;
        let error = "Error: Request not permitted by the user.";
        assert_eq!(result, json!({"status": 403, "error": error}), "{name}");
    }
}

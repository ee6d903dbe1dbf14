//! The Minds API proxy, line by line, against an upstream that keeps what it receives (contract section 5).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod agents;
mod bodies;
mod configuration;
mod connections;
mod departures;
mod failures;
mod headers;
mod one_path;
mod requests;
mod responses;
mod timeouts;
mod tls;

use end_to_end::{Caller, Gateway, Upstream};

/// An upstream and a gateway before it.
async fn pair() -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway().start().await;
    (upstream, gateway)
}

/// A request's head as it goes over a bare connection; `more` are header lines with their `\r\n`.
fn head(caller: &Caller, line: &str, more: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: gateway\r\n{}{more}\r\n",
        caller.header_lines()
    )
}

/// Asserts that an answer is the proxy's own error: this status, and a message that begins and continues like this.
#[track_caller]
fn assert_error(answer: &end_to_end::Answer, status: u16, beginning: &str, part: &str) {
    assert_eq!(answer.status, status, "{answer}");
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8",
        "{answer}"
    );
    let error = answer.error();
    assert!(
        error.starts_with(beginning) && error.to_lowercase().contains(part),
        "{answer}: should begin with {beginning:?} and name {part:?}"
    );
    let expected = format!("{}\n", serde_json::json!({ "error": error }));
    assert_eq!(answer.text(), expected, "compact, and one line");
}

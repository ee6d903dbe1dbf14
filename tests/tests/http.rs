//! The gateway as an HTTP/1.1 server: what it does with connections, and with clients that are not quite right.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fmt::Write;

use end_to_end::{Caller, Gateway, ask};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A request's head, up to and including the empty line.
fn head(caller: &Caller, line: &str, more: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: x\r\n{}{more}\r\n",
        caller.header_lines()
    )
}

/// The gateway still serves.
async fn lives(gateway: &Gateway) {
    gateway.admin().get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let mut raw = gateway.raw().await;
    let body = ask("slack-api", []).to_string();
    for _ in 0..10 {
        raw.send(head(&admin, "GET /permissions/self", "")).await;
        raw.answer().await.expect(200);
        raw.send(head(&admin, "GET /nowhere", "")).await;
        raw.answer().await.expect(404);
        raw.send(head(&gateway.stranger(), "GET /", "")).await;
        raw.answer().await.expect(401);
        raw.send(
            head(
                &admin,
                "POST /permission-requests",
                &format!("content-length: {}\r\n", body.len()),
            ) + &body,
        )
        .await;
        raw.answer().await.expect(201);
        raw.send(head(&admin, "GET /permission-requests", "")).await;
        raw.answer().await.expect(200);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let body = ask("slack-api", []).to_string();
    let mut raw = gateway.raw().await;
    let post = head(
        &admin,
        "POST /permission-requests",
        &format!("content-length: {}\r\n", body.len()),
    ) + &body;
    let gets = ["/permissions/self", "/nowhere", "/"]
        .map(|target| head(&admin, &format!("GET {target}"), ""));
    raw.send(format!("{}{post}{}{}", gets[0], gets[1], gets[2]))
        .await;
    for status in [200, 201, 404, 200] {
        raw.answer().await.expect(status);
    }
}

#[tokio::test]
async fn a_chunked_body_is_a_body() {
    let gateway = Gateway::start().await;
    let body = ask("slack-api", []).to_string();
    let mut raw = gateway.raw().await;
    raw.send(head(
        &gateway.admin(),
        "POST /permission-requests",
        "transfer-encoding: chunked\r\n",
    ))
    .await;
    for part in body.as_bytes().chunks(7) {
        raw.send(format!(
            "{:x}\r\n{}\r\n",
            part.len(),
            String::from_utf8_lossy(part)
        ))
        .await;
    }
    raw.send("0\r\n\r\n").await;
    raw.answer().await.expect(201);
    // The connection is where the body ended.
    raw.send(head(&gateway.admin(), "GET /permissions/self", ""))
        .await;
    raw.answer().await.expect(200);
}

#[tokio::test]
async fn a_body_where_none_is_expected_smuggles_nothing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let hidden = head(&gateway.stranger(), "GET /hidden", "");
    for (line, status) in [
        ("GET /permissions/self", 200),
        ("DELETE /permission-requests/nope", 404),
        ("OPTIONS /nowhere", 404),
    ] {
        let mut raw = gateway.raw().await;
        let chunked = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        raw.send(head(&admin, line, "transfer-encoding: chunked\r\n") + &chunked)
            .await;
        raw.answer().await.expect(status);
        raw.try_send(head(&admin, "GET /nowhere", "connection: close\r\n"))
            .await
            .ok();
        let rest = String::from_utf8(raw.until_closed().await).unwrap();
        assert!(
            !rest.contains(" 401 "),
            "the body was taken for a request: {rest}"
        );
    }
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let gateway = Gateway::start().await;
    for framing in [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: x\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(head(&gateway.admin(), "POST /permission-requests", framing))
            .await;
        let answer = raw.answer().await;
        assert!(
            (400..500).contains(&answer.status()),
            "{framing:?}: {answer:?}"
        );
        raw.until_closed().await;
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let gateway = Gateway::start().await;
    for bytes in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "\x16\x03\x01\x02\0\x01",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(bytes).await;
        raw.finish_sending().await;
        let answer = raw.until_closed().await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{bytes:?}: {answer}"
        );
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn a_target_that_is_too_long_is_414() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    admin
        .get(&format!("/permissions/self?{}", "x".repeat(15 * KIB)))
        .await
        .expect(200);
    for length in [17 * KIB, 60 * KIB, 70 * KIB] {
        let mut raw = gateway.raw().await;
        raw.send(head(
            &admin,
            &format!("GET /permissions/self?{}", "x".repeat(length)),
            "",
        ))
        .await;
        raw.answer().await.expect(414);
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn headers_that_are_too_many_or_too_long_are_431() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    admin
        .clone()
        .with_header("x-long", &"x".repeat(60 * KIB))
        .get("/permissions/self")
        .await
        .expect(200);
    let many = (0..400).fold(String::new(), |mut lines, index| {
        writeln!(lines, "x-{index}: y\r").unwrap();
        lines
    });
    for more in [
        format!("x-long: {}\r\n", "x".repeat(66 * KIB)),
        format!("x-long: {}\r\n", "x".repeat(500 * KIB)),
        many,
    ] {
        let mut raw = gateway.raw().await;
        // The gateway may hang up before it has read everything.
        raw.try_send(head(&admin, "GET /permissions/self", &more))
            .await
            .ok();
        raw.answer().await.expect(431);
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_announced_or_not() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for target in [
        "/permission-requests",
        "/permissions/rules?path=x.json&rule_key=any",
    ] {
        // Announced: refused without being read.
        let mut raw = gateway.raw().await;
        let length = format!("content-length: {}\r\nexpect: 100-continue\r\n", 100 * MIB);
        raw.send(head(&admin, &format!("POST {target}"), &length))
            .await;
        let answer = raw.answer().await.expect(413);
        assert!(answer.json()["error"].is_string(), "{answer:?}");

        // Not announced: read up to the limit.
        let mut raw = gateway.raw().await;
        raw.send(head(
            &admin,
            &format!("POST {target}"),
            "transfer-encoding: chunked\r\n",
        ))
        .await;
        let chunk = format!("{MIB:x}\r\n{}\r\n", " ".repeat(MIB));
        for _ in 0..30 {
            if raw.try_send(&chunk).await.is_err() {
                break;
            }
        }
        raw.try_send("0\r\n\r\n").await.ok();
        raw.answer().await.expect(413);
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_when_the_body_is_wanted() {
    let gateway = Gateway::start().await;
    let body = ask("slack-api", []).to_string();
    let expect = format!("content-length: {}\r\nexpect: 100-continue\r\n", body.len());
    let mut raw = gateway.raw().await;
    raw.send(head(&gateway.admin(), "POST /permission-requests", &expect))
        .await;
    raw.answer().await.expect(100);
    raw.send(body).await;
    raw.answer().await.expect(201);
    // Refused at the door, without the body.
    let mut raw = gateway.raw().await;
    raw.send(head(&gateway.guest(), "POST /permission-requests", &expect))
        .await;
    raw.answer().await.expect(403);
}

#[tokio::test]
async fn a_half_closed_client_gets_its_answer() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.send(head(
        &gateway.admin(),
        "GET /permissions/self",
        "connection: close\r\n",
    ))
    .await;
    raw.finish_sending().await;
    raw.answer().await.expect(200);
    lives(&gateway).await;
}

#[tokio::test]
async fn clients_that_leave_at_any_moment_leave_the_gateway_alive() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let body = ask("slack-api", []).to_string();
    let post = head(
        &admin,
        "POST /permission-requests",
        &format!("content-length: {}\r\n", body.len()),
    ) + &body;
    let get = head(&admin, "GET /permissions/self", "");
    let follow = head(&admin, "GET /permission-requests?follow=1", "");
    for request in [post, get, follow] {
        for sent in (0..=request.len()).step_by(request.len() / 8) {
            for reset in [true, false] {
                let mut raw = gateway.raw().await;
                raw.send(&request[..sent]).await;
                if reset {
                    raw.reset();
                }
            }
            let mut raw = gateway.raw().await;
            raw.send(&request[..sent]).await;
            raw.finish_sending().await;
            drop(raw);
        }
    }
    lives(&gateway).await;
    let mut follow = gateway.admin().follow().await;
    let id = admin
        .post("/permission-requests", ask("slack-api", []))
        .await
        .expect(201)
        .id();
    while follow.next_id().await != id {}
}

#[tokio::test]
async fn a_client_that_sends_nothing_delays_nobody() {
    let gateway = Gateway::start().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut raw = gateway.raw().await;
        raw.send("GET / HT").await;
        silent.push(raw);
    }
    lives(&gateway).await;
}

#[tokio::test]
async fn a_half_received_request_does_nothing() {
    let gateway = Gateway::start().await;
    let body = ask("slack-api", []).to_string();
    let mut raw = gateway.raw().await;
    let length = format!("content-length: {}\r\n", body.len() + 1);
    raw.send(head(&gateway.admin(), "POST /permission-requests", &length) + &body)
        .await;
    raw.finish_sending().await;
    raw.until_closed().await;
    assert!(gateway.admin().pending().await.is_empty());
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let gateway = Gateway::start().await;
    let port = gateway.address().port().to_string();
    let outcome = gateway
        .cli([
            "gateway",
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            &port,
        ])
        .expect_code(1);
    assert!(
        outcome.stderr.contains(&port) && outcome.stderr.contains("in use"),
        "{outcome}"
    );
    assert_eq!(outcome.stdout, "");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.send(head(&gateway.guest(), "HEAD /permissions/self", ""))
        .await;
    raw.answer_head().await.expect(403);
    raw.send(head(&gateway.admin(), "GET /permissions/self", ""))
        .await;
    raw.answer().await.expect(200);
}

#[tokio::test]
async fn trailers_harm_nobody() {
    let gateway = Gateway::start().await;
    let body = ask("slack-api", []).to_string();
    let mut raw = gateway.raw().await;
    let more = "trailer: x-trailer\r\ntransfer-encoding: chunked\r\n";
    let chunk = format!("{:x}\r\n{body}\r\n0\r\nx-trailer: 1\r\n\r\n", body.len());
    raw.send(head(&gateway.admin(), "POST /permission-requests", more) + &chunk)
        .await;
    raw.answer().await.expect(201);
    raw.send(head(
        &gateway.admin(),
        "GET /permissions/self",
        "trailer: x\r\nte: trailers\r\n",
    ))
    .await;
    raw.answer().await.expect(200);
}

#[tokio::test]
async fn an_old_client_is_answered_and_let_go() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.send(format!(
        "GET /permissions/self HTTP/1.0\r\n{}\r\n",
        gateway.admin().header_lines()
    ))
    .await;
    raw.answer().await.expect(200);
    assert!(raw.until_closed().await.is_empty());
}

#[tokio::test]
async fn a_follow_stream_can_be_asked_for_on_a_used_connection() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let id = admin
        .post("/permission-requests", ask("slack-api", []))
        .await
        .expect(201)
        .id();
    let mut raw = gateway.raw().await;
    raw.send(
        head(&admin, "GET /nowhere", "") + &head(&admin, "GET /permission-requests?follow=1", ""),
    )
    .await;
    raw.answer().await.expect(404);
    raw.answer_head().await.expect(200);
    // The stream is as long as the gateway lives; then it ends as a chunked body should.
    let (status, _) = gateway.terminate().await;
    assert_eq!(status.code(), Some(0));
    let rest = String::from_utf8(raw.until_closed().await).unwrap();
    assert!(rest.contains(&id) && rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let gateway = Gateway::start().await;
    let headers = gateway.admin().header_lines();
    for hosts in ["", "host: a\r\nhost: b\r\n"] {
        let mut raw = gateway.raw().await;
        raw.send(format!("GET / HTTP/1.1\r\n{hosts}{headers}\r\n"))
            .await;
        raw.answer().await.expect(400);
    }
    let mut raw = gateway.raw().await;
    raw.send(format!("GET / HTTP/1.0\r\n{headers}\r\n")).await;
    raw.answer().await.expect(200);
}

//! What a request asks for, and the headers that could make it something else: each has one decided answer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use end_to_end::{Caller, Gateway, RawAnswer, ask};
use serde_json::{Value, json};

const SELF: &str = "GET /permissions/self HTTP/1.1";

/// A request's head, with a Host unless `more` brings its own, up to and including the empty line.
fn head(caller: &Caller, line: &str, more: &str) -> String {
    let host = if more.to_lowercase().contains("host:") {
        ""
    } else {
        "host: x\r\n"
    };
    format!("{line}\r\n{host}{}{more}\r\n", caller.header_lines())
}

/// The answer on a connection of its own.
async fn answer(gateway: &Gateway, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = gateway.raw().await;
    raw.send(request).await;
    raw.answer().await
}

/// Somebody who is granted what this schema of the headers matches.
fn granted_by_headers(gateway: &Gateway, headers: &Value) -> Caller {
    let schema = json!({"properties": {"headers": headers}, "required": ["headers"]});
    let file = json!({"rules": [{"any": ["seen"]}], "schemas": {"seen": schema}});
    gateway.bearer_of(&gateway.home().permissions_file("by-headers.json", &file))
}

#[tokio::test]
async fn a_target_is_normalised_or_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for (target, status) in [
        ("/permissions/self", 200),
        ("/permissions/self?", 200),
        ("/permissions/self?a=/../b&c=%00%0d%0a", 200),
        ("/x/../permissions/./self", 200),
        ("/permissions/x/%2e%2E/self", 200),
        ("/../../permissions/self", 200),
        ("/permissions\\x\\..\\self", 200),
        ("/C:/../permissions/self", 200),
        ("//permissions/self", 404),
        ("//x/permissions/self", 404),
        ("/\\x/permissions/self", 404),
        ("/permissions//self", 404),
        ("/permissions%2fself", 404),
        ("/permissions%5cself", 404),
        ("/x/..%2fpermissions/self", 404),
        ("/x/%252e%252e/permissions/self", 404),
        ("/permissions/self\"{}|^", 404),
        ("/permissions/self%", 404),
        ("/permissions/self%00", 404),
        ("/x%00/../permissions/self", 200),
        ("/permissions/self%0d%0ax:%20y", 404),
        ("/permissions/self%0A", 404),
        ("/x/%c0%ae%c0%ae/permissions/self", 404),
        ("/x%C0%AF..%c1%9cpermissions/self", 404),
        ("/permissions/%e0%80%afself", 404),
        ("/minds-api-proxy/..%2fx", 400),
        ("/minds-api-proxy/x%00", 400),
        ("/minds-api-proxy/%0d%0ax:%20y", 400),
        ("/minds-api-proxy/%c0%ae%c0%ae/x", 400),
        ("/minds-api-proxy/x?%00%0d%0a%c0%ae", 503),
        ("/permissions/sélf", 400),
        ("/permissions/self?é", 400),
        ("/permissions/self<", 400),
        ("/permissions/self>", 400),
        ("/permissions/self`", 400),
        ("/permissions/self?<", 400),
        ("/permissions/self?\"", 400),
        ("/permissions/self\u{7f}", 400),
        ("http://x/permissions/self", 400),
        ("http://user:password@x/permissions/self", 400),
        ("https://latchkey-self.invalid:1/permissions/self", 400),
        ("http://x/", 400),
        ("http:///permissions/self", 400),
        ("x:80", 400),
        ("x", 400),
        ("*", 400),
        ("?a", 400),
        ("\\permissions\\self", 400),
    ] {
        let line = format!("GET {target} HTTP/1.1");
        let answer = answer(&gateway, head(&admin, &line, "")).await;
        assert_eq!(answer.status(), status, "{target}: {answer:?}");
    }
    let latin1 = [
        b"GET /permissions/s\xe9lf HTTP/1.1\r\n",
        head(&admin, "", "").trim_start().as_bytes(),
    ]
    .concat();
    answer(&gateway, latin1).await.expect(400);
}

#[tokio::test]
async fn a_refusal_of_the_target_says_what_is_wrong_with_it() {
    let gateway = Gateway::start().await;
    for (target, expected) in [
        ("/minds-api-proxy/%00", "NUL"),
        ("/minds-api-proxy/%c0%ae", "overlong"),
        ("/minds-api-proxy/..%2f", "'..'"),
        ("/é", "ASCII"),
        ("http://x/", "path"),
        ("*", "path"),
    ] {
        let line = format!("GET {target} HTTP/1.1");
        let answer = answer(&gateway, head(&gateway.admin(), &line, "")).await;
        let error = answer.expect(400).json()["error"].to_string();
        assert!(error.contains(expected), "{target}: {error}");
    }
}

#[tokio::test]
async fn methods_are_passed_on_as_they_are_or_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for (line, status) in [
        ("TRACE /permissions/self", 405),
        ("CONNECT x:80", 405),
        ("CONNECT /permissions/self", 405),
        ("get /permissions/self", 400),
        ("Get /permissions/self", 400),
        ("patch /permissions/self", 400),
        ("OPTIONS *", 400),
        ("PROPFIND /permissions/self", 404),
        ("MKCOL /permissions/self", 404),
        ("X-ANYTHING /permissions/self", 404),
        ("OPTIONS /permissions/self", 404),
    ] {
        let mut raw = gateway.raw().await;
        raw.send(head(&admin, &format!("{line} HTTP/1.1"), ""))
            .await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), status, "{line}: {answer:?}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{line}");
        // What is wrong with a request is not wrong with its connection.
        raw.send(head(&admin, SELF, "")).await;
        raw.answer().await.expect(200);
    }
}

#[tokio::test]
async fn a_request_names_one_host_and_nothing_else() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for host in ["x", "x:80", "127.0.0.1:1989", "[::1]:80", "a_b.c-d"] {
        answer(&gateway, head(&admin, SELF, &format!("host: {host}\r\n")))
            .await
            .expect(200);
    }
    for host in [
        "",
        "a, b",
        "a,a",
        "a b",
        "user@a",
        "user:password@a",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "http://a",
        ":80",
        "a:b",
        "::1",
        "[::1",
    ] {
        for line in [SELF, "GET /permissions/self HTTP/1.0"] {
            let answer = answer(&gateway, head(&admin, line, &format!("host: {host}\r\n"))).await;
            assert_eq!(answer.status(), 400, "{host:?}: {answer:?}");
            assert!(answer.json()["error"].as_str().unwrap().contains("Host"));
        }
    }
    let twice = "host: a\r\nhost: a\r\n";
    answer(&gateway, head(&admin, SELF, twice))
        .await
        .expect(400);
}

#[tokio::test]
async fn expectations_are_met_or_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for expect in ["expect: 100-continue\r\n", "Expect: 100-Continue\r\n"] {
        answer(&gateway, head(&admin, SELF, expect))
            .await
            .expect(200);
    }
    for expect in [
        "expect: 200-ok\r\n",
        "expect:\r\n",
        "expect: 100-continue, x\r\n",
        "expect: 100-continue\r\nexpect: x\r\n",
    ] {
        answer(&gateway, head(&admin, SELF, expect))
            .await
            .expect(417);
        answer(&gateway, head(&gateway.stranger(), SELF, expect))
            .await
            .expect(401);
    }
    // HTTP/1.0 knows no interim answers.
    let body = ask("slack-api", []).to_string();
    let more = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    let old = head(&admin, "POST /permission-requests HTTP/1.0", &more) + &body;
    answer(&gateway, old).await.expect(201);
}

#[tokio::test]
async fn a_websocket_is_refused_to_whoever_might_have_asked() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let upgrade = "connection: Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for line in [
        SELF,
        "GET /minds-api-proxy/x HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "GET /permission-requests?follow=1 HTTP/1.1",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(head(&gateway.admin(), line, upgrade)).await;
        let answer = raw.answer().await.expect(501);
        let error = answer.json()["error"].to_string();
        assert!(error.contains("WebSocket"), "{line}: {error}");
        raw.send(head(&gateway.admin(), SELF, "")).await;
        raw.answer().await.expect(200);
    }
    for (caller, status) in [
        (gateway.stranger(), 401),
        (gateway.with_token("a.b.c"), 401),
        (gateway.guest(), 403),
    ] {
        answer(&gateway, head(&caller, SELF, upgrade))
            .await
            .expect(status);
    }
    let forbidden = head(&agent, "GET /permission-requests HTTP/1.1", upgrade);
    answer(&gateway, forbidden).await.expect(403);
    let listed = "upgrade: h2c, websocket\r\n";
    answer(&gateway, head(&gateway.admin(), SELF, listed))
        .await
        .expect(501);
}

#[tokio::test]
async fn other_upgrades_are_ignored() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let mut raw = gateway.raw().await;
    for more in [h2c, "connection: upgrade\r\nupgrade: TLS/1.0\r\n", h2c] {
        raw.send(head(&admin, SELF, more)).await;
        raw.answer().await.expect(200);
    }
    let old = head(
        &admin,
        "GET /permissions/self HTTP/1.0",
        "upgrade: websocket\r\n",
    );
    answer(&gateway, old).await.expect(200);
}

#[tokio::test]
async fn what_concerns_the_connection_or_the_gateway_is_not_what_is_checked() {
    let gateway = Gateway::start().await;
    let caller = granted_by_headers(
        &gateway,
        &json!({"properties": {"x-kept": true}, "required": ["x-kept"], "additionalProperties": false}),
    );
    let private = "x-kept: a\r\nconnection: x-named, , X-Also-Named\r\nConnection: keep-alive, x-third\r\n\
                   x-named: a\r\nx-also-named: a\r\nx-third: a\r\nkeep-alive: timeout=5\r\nte: trailers\r\n\
                   proxy-authorization: a\r\nproxy-authenticate: a\r\ntrailer: x-a\r\ntrailers: a\r\n\
                   upgrade: h2c\r\nexpect: 100-continue\r\nx-latchkey-gateway-account: a\r\n";
    answer(&gateway, head(&caller, SELF, private))
        .await
        .expect(200);
    // It is these headers that decide.
    answer(
        &gateway,
        head(&caller, SELF, &format!("{private}x-more: a\r\n")),
    )
    .await
    .expect(403);
    answer(
        &gateway,
        head(&caller, SELF, "connection: x-kept\r\nx-kept: a\r\n"),
    )
    .await
    .expect(403);
}

#[tokio::test]
async fn connection_does_not_reach_authentication_or_framing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let names = "connection: host, x-latchkey-gateway-password, x-latchkey-gateway-permissions-override\r\n";
    answer(&gateway, head(&admin, SELF, names))
        .await
        .expect(200);
    answer(&gateway, head(&gateway.guest(), SELF, names))
        .await
        .expect(403);

    let body = ask("slack-api", []).to_string();
    let line = "POST /permission-requests HTTP/1.1";
    let length = format!(
        "connection: content-length\r\ncontent-length: {}\r\n",
        body.len()
    );
    let chunked = "connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n";
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let mut raw = gateway.raw().await;
    raw.send(
        head(&admin, line, &length)
            + &body
            + &head(&admin, line, chunked)
            + &chunk
            + &head(&admin, SELF, ""),
    )
    .await;
    for status in [201, 201, 200] {
        raw.answer().await.expect(status);
    }
    let announced = "connection: content-length\r\ncontent-length: 999999999\r\n";
    answer(&gateway, head(&admin, line, announced))
        .await
        .expect(413);
}

#[tokio::test]
async fn a_chunked_request_announces_only_what_may_be_a_trailer() {
    let gateway = Gateway::start().await;
    let caller = granted_by_headers(
        &gateway,
        &json!({"properties": {"trailer": {"const": "x-a, x-b"}}, "required": ["trailer"]}),
    );
    let chunked = "transfer-encoding: chunked\r\n";
    for (more, status) in [
        ("trailer: x-a, x-b\r\n", 200),
        (
            "trailer: X-A, Content-Length\r\nTrailer: host,x-b, x-a, authorization, x-latchkey-gateway-password\r\n",
            200,
        ),
        ("trailer: x-a\r\n", 403),
        ("trailer: content-length, transfer-encoding\r\n", 403),
        ("connection: trailer\r\ntrailer: x-a, x-b\r\n", 403),
    ] {
        let request =
            head(&caller, SELF, &format!("{chunked}{more}")) + "0\r\nx-a: 1\r\nhost: y\r\n\r\n";
        let answer = answer(&gateway, request).await;
        assert_eq!(answer.status(), status, "{more}: {answer:?}");
    }
    // Without a chunked body there are none.
    answer(&gateway, head(&caller, SELF, "trailer: x-a, x-b\r\n"))
        .await
        .expect(403);
}

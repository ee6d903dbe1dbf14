//! Where a request ends: what is framed ambiguously is refused, ends the connection, and hides nothing.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use end_to_end::{Caller, Gateway, ask};

/// A request's head, up to and including the empty line.
fn head(caller: &Caller, line: &str, more: &str) -> String {
    format!("{line}\r\nhost: x\r\n{}{more}\r\n", caller.header_lines())
}

/// A request that would be granted.
fn get(gateway: &Gateway) -> String {
    head(&gateway.admin(), "GET /permissions/self HTTP/1.1", "")
}

/// A request that would leave a trace.
fn post(gateway: &Gateway, more: &str, body: &str) -> String {
    let line = "POST /permission-requests HTTP/1.1";
    head(&gateway.admin(), line, more) + body
}

fn trace(gateway: &Gateway) -> String {
    let body = ask("slack-api", []).to_string();
    let length = format!("content-length: {}\r\n", body.len());
    post(gateway, &length, &body)
}

/// The request before `refused` is served, `refused` is not, and what follows it is never looked at.
async fn assert_refused(gateway: &Gateway, refused: &str) {
    let sent = format!("{}{refused}{}", get(gateway), trace(gateway));
    for size in [sent.len(), 97] {
        let mut raw = gateway.raw().await;
        for piece in sent.as_bytes().chunks(size) {
            // The gateway may have hung up.
            raw.try_send(piece).await.ok();
        }
        raw.answer().await.expect(200);
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 400, "{refused:?}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{refused:?}");
        let rest = String::from_utf8_lossy(&raw.until_closed().await).into_owned();
        assert_eq!(rest, "", "after {refused:?}");
    }
    assert!(gateway.admin().pending().await.is_empty(), "{refused:?}");
}

/// Whatever a request with this chunked body is answered, its body is not taken for a whole one, and nothing follows it.
async fn assert_body_refused(gateway: &Gateway, body: &str) {
    let refused = post(gateway, "transfer-encoding: chunked\r\n", body);
    let mut raw = gateway.raw().await;
    raw.try_send(format!("{refused}{}", trace(gateway)))
        .await
        .ok();
    let answers = String::from_utf8_lossy(&raw.until_closed().await).into_owned();
    assert!(answers.starts_with("HTTP/1.1 4"), "{body:?}: {answers}");
    assert_eq!(
        answers.matches("HTTP/1.1").count(),
        1,
        "{body:?}: {answers}"
    );
    assert!(gateway.admin().pending().await.is_empty(), "{body:?}");
}

/// A chunked body that asks for a permission, in these chunk lines.
fn chunked_ask(extension: &str, end: &str) -> String {
    let body = ask("slack-api", []).to_string();
    format!("{:x}{extension}\r\n{body}\r\n{end}", body.len())
}

#[tokio::test]
async fn lines_that_do_not_end_in_crlf_are_refused() {
    let gateway = Gateway::start().await;
    let get = get(&gateway);
    for refused in [
        get.replace("\r\n", "\n"),
        get.replacen("\r\n", "\n", 1),
        get.replacen("host: x\r\n", "host: x\n", 1),
        get.replacen("host: x\r\n", "host: x\na: b\r\n", 1),
        get.replace("\r\n\r\n", "\r\n\n"),
        get.replace("\r\n\r\n", "\n\n"),
        get.replacen("host: x", "host: x\ra: b", 1),
        get.replacen("host: x", "host: x\r", 1),
        get.replacen("HTTP/1.1", "HTTP/1.1\r", 1),
        format!("\n{get}"),
        format!("\r{get}"),
        format!("\r\n\r\n{get}"),
    ] {
        assert_refused(&gateway, &refused).await;
    }
}

#[tokio::test]
async fn an_empty_line_before_a_request_is_ignored() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.send(format!("\r\n{}\r\n{}", get(&gateway), get(&gateway)))
        .await;
    raw.answer().await.expect(200);
    raw.answer().await.expect(200);
}

#[tokio::test]
async fn request_lines_of_another_shape_are_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    for line in [
        "GET /permissions/self",
        "GET  /permissions/self HTTP/1.1",
        "GET /permissions/self  HTTP/1.1",
        "GET /permissions/self HTTP/1.1 ",
        " GET /permissions/self HTTP/1.1",
        "GET\t/permissions/self HTTP/1.1",
        "GET /permissions /self HTTP/1.1",
        "GET /permissions\t/self HTTP/1.1",
        "GET /permissions/self\0 HTTP/1.1",
        "GET /permissions/self http/1.1",
        "GET /permissions/self HTTP/1.2",
        "GET /permissions/self HTTP/2.0",
        "GET /permissions/self HTTP/1.1.1",
        "GET /permissions/self#fragment HTTP/1.1",
        "GET /permissions/self?#fragment HTTP/1.1",
        "GET #fragment HTTP/1.1",
        "GET permissions/self HTTP/1.1",
        "G(T /permissions/self HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        assert_refused(&gateway, &head(&admin, line, "")).await;
    }
}

#[tokio::test]
async fn header_lines_of_another_shape_are_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let line = "GET /permissions/self HTTP/1.1";
    for more in [
        "a: b\r\n c\r\n",
        "a: b\r\n\tc\r\n",
        "a: b\r\n \r\n",
        "a : b\r\n",
        "a\t: b\r\n",
        " a: b\r\n",
        "a\r\n",
        ": b\r\n",
        "a b: c\r\n",
        "a: b\0c\r\n",
        "a\0: b\r\n",
    ] {
        assert_refused(&gateway, &head(&admin, line, more)).await;
    }
    let folded = format!("{line}\r\n folded: x\r\n\r\n");
    assert_refused(&gateway, &folded).await;
}

#[tokio::test]
async fn a_length_that_is_not_one_number_is_refused() {
    let gateway = Gateway::start().await;
    for length in [
        "content-length: 4\r\ncontent-length: 4\r\n",
        "content-length: 4\r\nContent-Length: 0\r\n",
        "content-length: 4, 4\r\n",
        "content-length: +4\r\n",
        "content-length: -4\r\n",
        "content-length: 0x4\r\n",
        "content-length: 4.0\r\n",
        "content-length: 4 4\r\n",
        "content-length: \"4\"\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551620\r\n",
        "content-length : 4\r\n",
        "content_length: 4\r\n",
    ] {
        assert_refused(&gateway, &post(&gateway, length, "null")).await;
    }
}

#[tokio::test]
async fn a_transfer_coding_that_is_not_chunked_is_refused() {
    let gateway = Gateway::start().await;
    for coding in [
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: chunked,\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked;q=1\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding:\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer_encoding: chunked\r\n",
    ] {
        assert_refused(&gateway, &post(&gateway, coding, "0\r\n\r\n")).await;
    }
    let old = post(
        &gateway,
        "transfer-encoding: chunked\r\nconnection: keep-alive\r\n",
        "0\r\n\r\n",
    );
    assert_refused(&gateway, &old.replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
}

#[tokio::test]
async fn two_ways_to_end_a_body_are_refused() {
    let gateway = Gateway::start().await;
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\nx: y\r\ncontent-length: 0\r\n",
        "content-length: 5\r\ntransfer-encoding: identity\r\n",
    ] {
        assert_refused(&gateway, &post(&gateway, framing, "0\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn chunks_that_are_not_what_they_say_are_no_body() {
    let gateway = Gateway::start().await;
    let whole = chunked_ask("", "0\r\n\r\n");
    let (size, rest) = whole.split_once("\r\n").unwrap();
    for body in [
        whole.replacen("\r\n", "\n", 1),
        whole.replace("\r\n0\r\n", "\n0\r\n"),
        whole.replace("0\r\n\r\n", "0\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\n\n"),
        whole.replace("0\r\n\r\n", "\r\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\na: b\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\na: b\r\n c\r\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\na : b\r\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\nno colon\r\n\r\n"),
        whole.replace("0\r\n\r\n", "0\r\na\0: b\r\n\r\n"),
        format!("{size} \r\n{rest}"),
        format!(" {size}\r\n{rest}"),
        format!("0x{size}\r\n{rest}"),
        format!("+{size}\r\n{rest}"),
        format!("-{size}\r\n{rest}"),
        format!("00000000000000000{size}\r\n{rest}"),
        format!("{size}g\r\n{rest}"),
        format!("{size} ;a=b\r\n{rest}"),
        format!("{size};a\nb\r\n{rest}"),
        format!("{size};a\0b\r\n{rest}"),
        format!("{size};a\r{rest}"),
        format!("{size};{}\r\n{rest}", "a".repeat(17 * 1024)),
        format!("1\r\n{rest}"),
        format!("fffffffffffffffff\r\n{rest}"),
    ] {
        assert_body_refused(&gateway, &body).await;
    }
}

#[tokio::test]
async fn chunks_as_the_standard_has_them_are_a_body() {
    let gateway = Gateway::start().await;
    for body in [
        chunked_ask("", "0\r\n\r\n"),
        chunked_ask(";a;b=c;d=\"e f\"", "0;last\r\n\r\n"),
        chunked_ask("", "000\r\n\r\n"),
        chunked_ask("", "0\r\nx-trailer: a\r\ncontent-length: 9\r\n\r\n"),
    ] {
        let mut raw = gateway.raw().await;
        let request = post(&gateway, "Transfer-Encoding:\tCHUNKED \r\n", &body);
        raw.send(request + &get(&gateway)).await;
        raw.answer().await.expect(201);
        raw.answer().await.expect(200);
    }
    assert_eq!(gateway.admin().pending().await.len(), 4);
}

#[tokio::test]
async fn a_client_that_goes_on_sending_still_reads_why_it_was_refused() {
    let gateway = Gateway::start().await;
    let misshapen = "GET / HTTP/1.1\nhost: x\r\n\r\n".to_owned();
    let too_long = post(&gateway, "content-length: 100000000\r\n", "");
    for (request, status) in [(misshapen, 400), (too_long, 413)] {
        let mut raw = gateway.raw().await;
        raw.send(request).await;
        for _ in 0..64 {
            raw.send(vec![b'x'; 64 * 1024]).await;
        }
        raw.answer().await.expect(status);
        raw.finish_sending().await;
        assert_eq!(raw.until_closed().await, b"");
    }
}

#[tokio::test]
async fn a_target_that_does_not_end_is_answered_without_its_end() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let line = format!("GET /{}", "x".repeat(20 * 1024));
    raw.send(line).await;
    let answer = raw.answer().await.expect(414);
    assert!(answer.json()["error"].is_string(), "{answer:?}");
    assert_eq!(raw.until_closed().await, b"");
}

#[tokio::test]
async fn http2_requests_are_reset_so_that_clients_repeat_them_with_http1() {
    const HEADERS_ON_STREAM_7: &[u8] = b"\0\0\x01\x01\x05\0\0\0\x07\x82";
    const RESET_OF_STREAM_7: &[u8] = b"\0\0\x04\x03\0\0\0\0\x07\0\0\0\x0d";
    let gateway = Gateway::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let sent = [preface, HEADERS_ON_STREAM_7].concat();
    for size in [sent.len(), 5] {
        let mut raw = gateway.raw().await;
        for piece in sent.chunks(size) {
            raw.send(piece).await;
        }
        raw.finish_sending().await;
        let received = raw.until_closed().await;
        assert!(received.ends_with(RESET_OF_STREAM_7), "{received:?}");
    }
}

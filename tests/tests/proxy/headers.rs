//! Header fields: those of one connection stay on it, all others arrive, each as often as it was sent.

use end_to_end::{Message, Script};

use crate::{head, pair};

const GATEWAYS_OWN: [&str; 3] = [
    "x-latchkey-gateway-password",
    "x-latchkey-gateway-permissions-override",
    "x-latchkey-gateway-account",
];

fn names(message: &Message) -> Vec<String> {
    let names = message.headers.iter();
    names.map(|(name, _)| name.to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn what_is_end_to_end_arrives() {
    let (upstream, gateway) = pair().await;
    gateway
        .admin()
        .request("POST", "/minds-api-proxy/x")
        .header("accept", "text/*")
        .header("x-many", "one")
        .header("x-many", "two")
        .header("x-many", "two")
        .header("cookie", "a=b")
        .header("cookie", "c=d")
        .header("x-empty", "")
        .header("content-type", "text/x-odd; charset=x")
        .header("x-odd", "a  \"b\" , ;c")
        .header("content-encoding", "gzip")
        .header("range", "bytes=0-1")
        .header("if-none-match", "\"x\"")
        .header("origin", "http://x")
        .body("body")
        .send()
        .await
        .expect(200);
    let request = &upstream.requests()[0];
    assert_eq!(request.all("x-many"), ["one", "two", "two"]);
    assert_eq!(request.all("cookie"), ["a=b", "c=d"]);
    for (name, value) in [
        ("accept", "text/*"),
        ("x-empty", ""),
        ("content-type", "text/x-odd; charset=x"),
        ("x-odd", "a  \"b\" , ;c"),
        ("content-encoding", "gzip"),
        ("range", "bytes=0-1"),
        ("if-none-match", "\"x\""),
        ("origin", "http://x"),
        ("content-length", "4"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}: {request:?}");
    }
    assert_eq!(request.text(), "body");
}

#[tokio::test]
async fn bytes_beyond_ascii_arrive() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::with_headers(200, "x-name: caf\u{e9}\r\n", ""));
    let mut wire = end_to_end::Wire::connect(gateway.address()).await;
    wire.send(head(
        &gateway.admin(),
        "GET /minds-api-proxy/x",
        "x-name: caf\u{e9}\r\n",
    ))
    .await;
    let answer = wire.answer().await;
    assert_eq!(answer.header("x-name"), Some("caf\u{e9}"));
    assert_eq!(upstream.requests()[0].header("x-name"), Some("caf\u{e9}"));
}

#[tokio::test]
async fn what_concerns_a_connection_stays_on_it() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::with_headers(
        200,
        "connection: x-private, keep-alive\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n\
         upgrade: h2c\r\nte: x\r\ntrailers: x\r\nproxy-authorization: x\r\nproxy-connection: keep-alive\r\nx-public: 1\r\n",
        "ok",
    ));
    let mut wire = end_to_end::Wire::connect(gateway.address()).await;
    let more = "connection: keep-alive, X-Private ,x-other\r\nx-private: 1\r\nX-Other: 1\r\nkeep-alive: timeout=5\r\n\
                proxy-authorization: Basic x\r\nproxy-connection: keep-alive\r\nproxy-authenticate: x\r\nte: trailers\r\ntrailers: x\r\n\
                x-latchkey-gateway-account: me\r\nx-public: 1\r\n";
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", more))
        .await;
    let answer = wire.answer().await;
    let request = &upstream.requests()[0];
    for message in [&answer, request] {
        assert_eq!(message.header("x-public"), Some("1"), "{message:?}");
        let names = names(message);
        for name in [
            "x-private",
            "x-other",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "trailers",
            "upgrade",
        ]
        .iter()
        .chain(&GATEWAYS_OWN)
        {
            assert!(!names.contains(&(*name).to_owned()), "{name}: {message:?}");
        }
        let connection = message.all("connection").join(",").to_lowercase();
        assert!(!connection.contains("x-"), "{message:?}");
    }
}

#[tokio::test]
async fn host_is_the_upstream_s() {
    let (upstream, gateway) = pair().await;
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
    assert_eq!(upstream.requests()[0].all("host"), [upstream.authority()]);
}

#[tokio::test]
async fn what_the_upstream_answers_arrives() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::with_headers(
        418,
        "Set-Cookie: a=b; Path=/\r\nset-cookie: c=d\r\nset-cookie: a=b; Path=/\r\ncontent-type: text/x-odd\r\ncontent-encoding: br\r\n\
         location: http://elsewhere.invalid/x\r\netag: \"x\"\r\nserver: theirs\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         www-authenticate: Bearer\r\nx-empty:\r\ncache-control: no-store\r\n",
        "tea",
    ));
    let answer = gateway.admin().get("/minds-api-proxy/x").await.expect(418);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=b; Path=/", "c=d", "a=b; Path=/"]);
    for (name, value) in [
        ("content-type", "text/x-odd"),
        ("content-encoding", "br"),
        ("location", "http://elsewhere.invalid/x"),
        ("etag", "\"x\""),
        ("server", "theirs"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("www-authenticate", "Bearer"),
        ("x-empty", ""),
        ("cache-control", "no-store"),
        ("content-length", "3"),
    ] {
        assert_eq!(answer.header(name), value, "{name}: {answer}");
    }
    assert_eq!(answer.text(), "tea");
}

#[tokio::test]
async fn large_headers_arrive() {
    let (upstream, gateway) = pair().await;
    let long = "x".repeat(30_000);
    upstream.answer(Script::with_headers(
        200,
        &format!("x-long: {long}\r\n"),
        "",
    ));
    let answer = gateway
        .admin()
        .request("GET", "/minds-api-proxy/x")
        .header("x-long", &long)
        .send()
        .await
        .expect(200);
    assert_eq!(answer.header("x-long"), long);
    assert_eq!(upstream.requests()[0].header("x-long"), Some(&*long));
}

#[tokio::test]
async fn headers_without_end_are_an_upstream_error() {
    let (upstream, gateway) = pair().await;
    let many: String = (0..5_000)
        .map(|index| format!("x-{index}: y\r\n"))
        .collect();
    for lines in [format!("x-long: {}\r\n", "x".repeat(5_000_000)), many] {
        upstream.answer(Script::with_headers(200, &lines, ""));
        let answer = gateway.admin().get("/minds-api-proxy/x").await;
        crate::assert_error(&answer, 502, "Minds API proxy upstream error: ", "");
    }
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

//! An upstream that speaks https.

use end_to_end::{
    Authority, Gateway, GatewayOptions, Home, KEY, Script, UPSTREAM_KEY, UPSTREAM_URL, Upstream,
};

use crate::assert_error;

const UPSTREAM_ERROR: &str = "Minds API proxy upstream error: ";
const LOOPBACK: &str = "IP:127.0.0.1,DNS:localhost";

fn before(url: String, trusted: &Authority) -> GatewayOptions {
    Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, url)
        .environment(UPSTREAM_KEY, KEY)
        .environment("SSL_CERT_FILE", trusted.certificate_file())
}

#[tokio::test]
async fn one_that_is_trusted_is_reached() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(&authority, LOOPBACK).await;
    let by_name = upstream.url().replace("127.0.0.1", "localhost");
    for url in [upstream.url(), by_name] {
        let gateway = before(url, &authority).start().await;
        let admin = gateway.admin();
        upstream.answer(Script::echo());
        for _ in 0..3 {
            let body = vec![7; 3 * 1024 * 1024];
            let answer = admin
                .request("PUT", "/minds-api-proxy/x?y")
                .body(body.clone())
                .send()
                .await
                .expect(200);
            assert!(answer.body == body);
        }
        let requests = upstream.requests();
        let last = requests.last().unwrap();
        assert_eq!(last.target(), "/x?y");
        assert_eq!(
            last.header("authorization"),
            Some(&*format!("Bearer {KEY}"))
        );
    }
    assert_eq!(upstream.connections().len(), 2, "connections are kept");
}

#[tokio::test]
async fn one_that_nobody_trusts_is_a_bad_gateway_and_gets_nothing() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_tls(&other, LOOPBACK).await;
    let gateway = before(upstream.url(), &trusted).start().await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "certificate");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn one_with_another_name_is_a_bad_gateway_and_gets_nothing() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(&authority, "DNS:elsewhere.example").await;
    let gateway = before(upstream.url(), &authority).start().await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "certificate");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn one_that_speaks_plain_http_is_a_bad_gateway_and_gets_no_key() {
    let authority = Authority::new();
    let upstream = Upstream::start().await;
    let gateway = before(upstream.url().replace("http:", "https:"), &authority)
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_plain_call_to_it_is_a_bad_gateway() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(&authority, LOOPBACK).await;
    let gateway = before(upstream.url().replace("https:", "http:"), &authority)
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "");
}

#[tokio::test]
async fn a_cut_that_tls_does_not_announce_is_no_end() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(&authority, LOOPBACK).await;
    let gateway = before(upstream.url(), &authority).start().await;
    upstream.answer(Script::raw("HTTP/1.1 200 OK\r\n\r\nto the end").reset());
    let mut wire = end_to_end::Wire::connect(gateway.address()).await;
    wire.send(crate::head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    let answers = wire.rest().await;
    assert!(
        answers
            .iter()
            .all(|answer| !answer.complete || answer.status() == 502),
        "{answers:?}"
    );
}

#[tokio::test]
async fn without_authorities_it_is_a_bad_gateway_that_says_so() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(&authority, LOOPBACK).await;
    let empty = Home::new();
    let gateway = before(upstream.url(), &authority)
        .environment("SSL_CERT_FILE", empty.write("none.pem", "", 0o600))
        .environment("SSL_CERT_DIR", empty.path())
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "");
    assert!(upstream.requests().is_empty());
}

//! What the settings make of the proxy.

use end_to_end::{Gateway, Home, KEY, UPSTREAM_KEY, UPSTREAM_URL, Upstream};

use crate::assert_error;

const NOT_CONFIGURED: &str = "Minds API proxy is not configured: ";

#[tokio::test]
async fn without_a_url_it_is_not_configured() {
    for url in [
        None,
        Some(""),
        Some("not a url"),
        Some("http://"),
        Some("/path"),
        Some("127.0.0.1:80"),
        Some("ftp://127.0.0.1/"),
        Some("file:///etc/passwd"),
        Some("ws://127.0.0.1/"),
        Some("http://127.0.0.1:99999"),
    ] {
        let mut options = Gateway::in_home(Home::new()).environment(UPSTREAM_KEY, KEY);
        if let Some(url) = url {
            options = options.environment(UPSTREAM_URL, url);
        }
        let gateway = options.start().await;
        for target in ["/minds-api-proxy", "/minds-api-proxy/x?y"] {
            let answer = gateway.admin().get(target).await;
            assert_error(&answer, 503, NOT_CONFIGURED, &UPSTREAM_URL.to_lowercase());
            assert!(!answer.text().contains(KEY), "{answer}");
        }
        // Everything else is as ever.
        gateway.admin().get("/permissions/self").await.expect(200);
    }
}

#[tokio::test]
async fn a_password_in_the_url_is_not_shown() {
    for url in [
        "http://user:hunter2@127.0.0.1:99999/",
        "ftp://user:hunter2@127.0.0.1/",
        &Upstream::nowhere().await.replace("//", "//user:hunter2@"),
    ] {
        let gateway = Gateway::in_home(Home::new())
            .environment(UPSTREAM_URL, url)
            .start()
            .await;
        let answer = gateway.admin().get("/minds-api-proxy/x").await;
        assert!(matches!(answer.status, 502 | 503), "{answer}");
        assert!(!answer.text().contains("hunter2"), "{answer}");
        let log = gateway.process().stderr();
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[tokio::test]
async fn permissions_are_asked_first() {
    let gateway = Gateway::start().await;
    gateway.guest().get("/minds-api-proxy/x").await.expect(403);
    gateway
        .stranger()
        .get("/minds-api-proxy/x")
        .await
        .expect(401);
}

#[tokio::test]
async fn with_a_key_whoever_asks_is_authorised_by_it() {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway().start().await;
    for authorization in [&[][..], &["Bearer mine"], &["Bearer mine", "Basic eDp5"]] {
        let mut request = gateway.admin().request("GET", "/minds-api-proxy/x");
        for value in authorization {
            request = request.header("authorization", value);
        }
        request.send().await.expect(200);
    }
    for request in upstream.requests() {
        assert_eq!(
            request.all("authorization"),
            [format!("Bearer {KEY}")],
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn without_a_key_authorization_is_passed_on() {
    let upstream = Upstream::start().await;
    for key in [None, Some("")] {
        let mut options = Gateway::in_home(Home::new()).environment(UPSTREAM_URL, upstream.url());
        if let Some(key) = key {
            options = options.environment(UPSTREAM_KEY, key);
        }
        let gateway = options.start().await;
        let admin = gateway.admin();
        admin.get("/minds-api-proxy/none").await.expect(200);
        admin
            .request("GET", "/minds-api-proxy/mine")
            .header("authorization", "Bearer mine")
            .send()
            .await
            .expect(200);
    }
    for request in upstream.requests() {
        let expected: &[&str] = match request.target() {
            "/mine" => &["Bearer mine"],
            _ => &[],
        };
        assert_eq!(request.all("authorization"), expected, "{request:?}");
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_hold_is_neither_sent_nor_shown() {
    let upstream = Upstream::start().await;
    let gateway = upstream
        .gateway()
        .environment(UPSTREAM_KEY, "hunter2\r\nx-more: 1")
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert!(matches!(answer.status, 502 | 503), "{answer}");
    assert!(!answer.text().contains("hunter2"), "{answer}");
    assert!(upstream.requests().is_empty());
    let log = gateway.process().stderr();
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn the_key_is_in_no_answer_and_no_log() {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway().argument("--verbose").start().await;
    let admin = gateway.admin();
    admin.get("/minds-api-proxy/x").await.expect(200);
    upstream.answer(end_to_end::Script::raw("nonsense\r\n\r\n"));
    let answer = admin.get("/minds-api-proxy/x").await.expect(502);
    assert!(!format!("{answer} {:?}", answer.headers).contains(KEY));
    upstream.stop().await;
    let answer = admin.get("/minds-api-proxy/x").await.expect(502);
    assert!(!format!("{answer} {:?}", answer.headers).contains(KEY));
    let log = gateway.process().stderr();
    assert!(!log.contains(KEY), "{log}");
}

#[tokio::test]
async fn a_url_on_ipv6_is_reached() {
    let upstream = Upstream::start_v6().await;
    assert!(
        upstream.url().starts_with("http://[::1]:"),
        "{}",
        upstream.url()
    );
    let gateway = upstream.gateway().start().await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await.expect(200);
    assert_eq!(answer.text(), "GET /x");
    assert_eq!(
        upstream.requests()[0].header("host"),
        Some(&*upstream.authority())
    );
}

#[tokio::test]
async fn a_url_with_a_name_is_reached() {
    let upstream = Upstream::start().await;
    let url = upstream.url().replace("127.0.0.1", "localhost");
    let gateway = Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, url)
        .start()
        .await;
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
    let host = upstream.authority().replace("127.0.0.1", "localhost");
    assert_eq!(upstream.requests()[0].header("host"), Some(&*host));
}

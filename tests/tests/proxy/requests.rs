//! Where requests go, and by what method.

use end_to_end::{Gateway, Home, UPSTREAM_URL, Upstream};

use crate::pair;

#[tokio::test]
async fn a_path_is_the_upstreams_without_the_prefix() {
    let (upstream, gateway) = pair().await;
    for (sent, arrives) in [
        ("/minds-api-proxy", "/"),
        ("/minds-api-proxy/", "/"),
        ("/minds-api-proxy?a=b", "/?a=b"),
        ("/minds-api-proxy/?a=b", "/?a=b"),
        ("/minds-api-proxy/x", "/x"),
        ("/minds-api-proxy/x/", "/x/"),
        ("/minds-api-proxy/x//y", "/x//y"),
        ("/minds-api-proxy//x", "//x"),
        ("/minds-api-proxy/minds-api-proxy/x", "/minds-api-proxy/x"),
        ("/minds-api-proxy/%7e%2f%20", "/%7e%2f%20"),
        ("/minds-api-proxy/x;y=z", "/x;y=z"),
        ("/minds-api-proxy/x:y@z", "/x:y@z"),
        ("/minds-api-proxy/caf%C3%A9", "/caf%C3%A9"),
    ] {
        let answer = gateway.admin().get(sent).await.expect(200);
        assert_eq!(answer.text(), format!("GET {arrives}"), "{sent}");
    }
    assert!(upstream.requests().iter().all(|request| request.complete));
}

#[tokio::test]
async fn a_query_is_passed_on_as_it_is() {
    let (_upstream, gateway) = pair().await;
    for query in [
        "a=b&a=c", "a=%20+b", "a", "=", "a=b?c", "x=../..", "%61=%62", "a=b&&c", "a[]=1", "a=b/c",
    ] {
        let answer = gateway
            .admin()
            .get(&format!("/minds-api-proxy/x?{query}"))
            .await
            .expect(200);
        assert_eq!(answer.text(), format!("GET /x?{query}"));
    }
}

#[tokio::test]
async fn a_long_target_is_passed_on() {
    let (_upstream, gateway) = pair().await;
    let long = format!("/{}?{}", "x".repeat(7_000), "y".repeat(7_000));
    let answer = gateway
        .admin()
        .get(&format!("/minds-api-proxy{long}"))
        .await
        .expect(200);
    assert_eq!(answer.text(), format!("GET {long}"));
}

#[tokio::test]
async fn the_base_url_s_path_comes_first() {
    for (base, sent, arrives) in [
        ("/api", "/minds-api-proxy", "/api/"),
        ("/api/", "/minds-api-proxy", "/api/"),
        ("/api", "/minds-api-proxy/x", "/api/x"),
        ("/api/", "/minds-api-proxy/x?y", "/api/x?y"),
        ("/api/v1", "/minds-api-proxy//x", "/api/v1//x"),
        ("/a%20b", "/minds-api-proxy/x", "/a%20b/x"),
        (
            "/api?key=value#fragment",
            "/minds-api-proxy/x?y",
            "/api/x?y",
        ),
    ] {
        let upstream = Upstream::start().await;
        let gateway = Gateway::in_home(Home::new())
            .environment(UPSTREAM_URL, upstream.url() + base)
            .start()
            .await;
        let answer = gateway.admin().get(sent).await.expect(200);
        assert_eq!(answer.text(), format!("GET {arrives}"), "{base} {sent}");
    }
}

#[tokio::test]
async fn paths_beside_the_prefix_are_not_the_proxy_s() {
    let (upstream, gateway) = pair().await;
    for target in [
        "/minds-api-proxyx",
        "/minds-api-prox",
        "/x/minds-api-proxy",
        "/minds-api-proxy;x",
        "/Minds-Api-Proxy/x",
    ] {
        gateway.admin().get(target).await.expect(404);
    }
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn every_method_is_passed_on() {
    let (_upstream, gateway) = pair().await;
    for method in [
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "SEARCH",
        "QUERY",
        "PURGE",
        "M-SEARCH",
        "X_CUSTOM",
    ] {
        let answer = gateway
            .admin()
            .request(method, "/minds-api-proxy/x")
            .send()
            .await
            .expect(200);
        assert_eq!(answer.text(), format!("{method} /x"));
    }
}

#[tokio::test]
async fn head_is_passed_on_and_its_answer_has_no_body() {
    let (upstream, gateway) = pair().await;
    let answer = gateway
        .admin()
        .request("HEAD", "/minds-api-proxy/x")
        .send()
        .await
        .expect(200);
    assert_eq!(answer.header("content-length"), "HEAD /x".len().to_string());
    assert!(answer.body.is_empty());
    assert_eq!(upstream.requests()[0].method(), "HEAD");
    // The connection is where the answer ended.
    gateway.admin().get("/minds-api-proxy/y").await.expect(200);
}

#[tokio::test]
async fn methods_of_other_kinds_of_server_are_refused() {
    let (upstream, gateway) = pair().await;
    gateway
        .admin()
        .request("TRACE", "/minds-api-proxy/x")
        .send()
        .await
        .expect(405);
    assert!(upstream.connections().is_empty());
}

#[tokio::test]
async fn an_upgrade_is_not_offered() {
    let (upstream, gateway) = pair().await;
    let answer = gateway
        .admin()
        .request("GET", "/minds-api-proxy/x")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send()
        .await
        .expect(501);
    assert!(
        answer.error().to_lowercase().contains("upgrade")
            || answer.error().to_lowercase().contains("websocket"),
        "{answer}"
    );
    assert!(upstream.connections().is_empty());
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

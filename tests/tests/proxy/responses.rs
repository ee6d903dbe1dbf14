//! Answers by kind: statuses, those without content, redirects, interim ones, trailers, event streams.

use end_to_end::{Script, Wire};

use crate::{head, pair};

#[tokio::test]
async fn every_status_is_relayed() {
    let (upstream, gateway) = pair().await;
    for status in [
        200, 201, 206, 226, 299, 300, 400, 401, 403, 404, 407, 416, 418, 429, 451, 500, 502, 503,
        504, 599,
    ] {
        upstream.answer(Script::text(status, "content"));
        let answer = gateway
            .admin()
            .get("/minds-api-proxy/x")
            .await
            .expect(status);
        assert_eq!(answer.text(), "content", "{status}");
    }
}

#[tokio::test]
async fn redirects_are_relayed() {
    let (upstream, gateway) = pair().await;
    for status in [301, 302, 303, 307, 308] {
        let location = upstream.url() + "/elsewhere";
        upstream.answer(Script::with_headers(
            status,
            &format!("location: {location}\r\n"),
            "",
        ));
        let answer = gateway
            .admin()
            .get("/minds-api-proxy/x")
            .await
            .expect(status);
        assert_eq!(answer.header("location"), location);
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.target() == "/x")
    );
}

#[tokio::test]
async fn answers_without_content_have_none() {
    let (upstream, gateway) = pair().await;
    let admin = gateway.admin();
    let mut wire = Wire::connect(gateway.address()).await;
    for (method, answer) in [
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("DELETE", "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 100\r\n\r\n",
        ),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            "HEAD",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\n",
        ),
        ("HEAD", "HTTP/1.1 204 No Content\r\n\r\n"),
    ] {
        upstream.answer(Script::raw(answer));
        wire.asks(method);
        wire.send(head(&admin, &format!("{method} /minds-api-proxy/x"), ""))
            .await;
        let given = wire.answer().await;
        let status: u16 = answer[9..12].parse().unwrap();
        assert_eq!(
            (given.status(), given.body.len()),
            (status, 0),
            "{answer:?}: {given:?}"
        );
    }
    // Both connections are where the answers ended.
    assert_eq!(
        upstream.connections().len(),
        1,
        "the upstream's connection is kept"
    );
}

#[tokio::test]
async fn the_length_of_what_head_leaves_out_is_told() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::raw(
        "HTTP/1.1 200 OK\r\ncontent-length: 123456789012\r\n\r\n",
    ));
    let answer = gateway
        .admin()
        .request("HEAD", "/minds-api-proxy/x")
        .send()
        .await;
    assert_eq!(answer.header("content-length"), "123456789012");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let (upstream, gateway) = pair().await;
    for version in ["1.0", "1.1"] {
        upstream.answer(
            Script::raw(format!("HTTP/{version} 200 OK\r\nx-a: b\r\n\r\nto the end")).close(),
        );
        let answer = gateway.admin().get("/minds-api-proxy/x").await.expect(200);
        assert_eq!(answer.text(), "to the end");
    }
}

#[tokio::test]
async fn an_old_client_is_given_no_chunks() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::chunked("", &["a", "bc"], ""));
    let mut wire = Wire::connect(gateway.address()).await;
    let request = head(&gateway.admin(), "GET /minds-api-proxy/x", "");
    wire.send(request.replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
    let answer = wire.answer().await;
    assert_eq!(answer.header("transfer-encoding"), None, "{answer:?}");
    assert_eq!(answer.text(), "abc");
}

#[tokio::test]
async fn trailers_arrive() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::chunked(
        "trailer: x-sum\r\n",
        &["a", "bc"],
        "x-sum: 3\r\n",
    ));
    let mut wire = Wire::connect(gateway.address()).await;
    let more = "te: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n";
    wire.send(
        head(&gateway.admin(), "POST /minds-api-proxy/x", more) + "1\r\nx\r\n0\r\nx-sum: 1\r\n\r\n",
    )
    .await;
    let answer = wire.answer().await;
    assert_eq!(answer.text(), "abc");
    let trailer = |value: &str| vec![("x-sum".to_owned(), value.to_owned())];
    assert_eq!(answer.trailers, trailer("3"), "{answer:?}");
    assert_eq!(
        upstream.requests()[0].trailers,
        trailer("1"),
        "{:?}",
        upstream.requests()
    );
}

#[tokio::test]
async fn interim_answers_do_not_disturb() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::raw(
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ));
    for _ in 0..3 {
        let answer = gateway.admin().get("/minds-api-proxy/x").await.expect(200);
        assert_eq!(answer.text(), "ok");
    }
}

#[tokio::test]
async fn a_client_that_waits_to_send_is_told_to() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    let mut wire = Wire::connect(gateway.address()).await;
    let more = "expect: 100-continue\r\ncontent-length: 4\r\n";
    wire.send(head(&gateway.admin(), "PUT /minds-api-proxy/x", more))
        .await;
    loop {
        let answer = wire.partial("an answer", |_| true).await;
        if answer.status() != 100 {
            break;
        }
        wire.answer().await;
        wire.send("body").await;
    }
    assert_eq!(wire.answer().await.text(), "body");
    assert_eq!(upstream.requests()[0].header("expect"), None);
}

#[tokio::test]
async fn each_event_arrives_as_it_is_sent() {
    let (upstream, gateway) = pair().await;
    let (feed, script) =
        Script::fed("content-type: text/event-stream\r\ncache-control: no-cache\r\n");
    upstream.answer(script);
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(
        &gateway.admin(),
        "GET /minds-api-proxy/events",
        "accept: text/event-stream\r\n",
    ))
    .await;
    // The head arrives before there is any event.
    let answer = wire.partial("the head", |_| true).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    for count in 0..50 {
        let event = format!("id: {count}\ndata: event\n\n");
        feed.chunk(&event).await;
        wire.partial("the event", |answer| {
            answer.body.ends_with(event.as_bytes())
        })
        .await;
    }
    feed.end().await;
    assert!(wire.answer().await.complete);
}

#[tokio::test]
async fn many_event_streams_are_open_at_once() {
    let (upstream, gateway) = pair().await;
    upstream.answer(
        Script::early("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nevent\n\r\n")
            .silence(),
    );
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::connect(gateway.address()).await;
        wire.send(head(&gateway.admin(), "GET /minds-api-proxy/events", ""))
            .await;
        wire.partial("an event", |answer| answer.body == b"event\n")
            .await;
        streams.push(wire);
    }
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

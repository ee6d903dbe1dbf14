//! What a request looks like on the wire.

use super::*;

/// What the upstream receives of a request until `end`.
async fn on_the_wire<B>(request: Request<B>, upstream: &Upstream, end: &str) -> String
where
    B: Body<Data = Bytes, Error: Into<super::super::error::BoxError>> + Send + Unpin + 'static,
{
    let client = Client::new();
    let (response, received) = tokio::join!(send(&client, request), async {
        let mut peer = upstream.accept().await;
        let received = peer.until(end).await;
        peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        // Nothing may follow it.
        let rest = if received.contains("connection: close") {
            peer.rest().await
        } else {
            String::from_utf8(peer.read).unwrap()
        };
        assert_eq!(rest, "");
        received
    });
    response.unwrap();
    received
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked_for_every_method() {
    let upstream = Upstream::start().await;
    for method in [
        "GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "POST", "PUT", "PROPFIND", "X",
    ] {
        let request = request(method, upstream.uri("/p?q"), chunks("body"));
        let received = on_the_wire(request, &upstream, "0\r\n\r\n").await;
        let authority = upstream.0.local_addr().unwrap();
        assert_eq!(
            received,
            format!(
                "{method} /p?q HTTP/1.1\r\nhost: {authority}\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            )
        );
    }
}

#[tokio::test]
async fn a_body_of_known_length_says_it_for_every_method() {
    let upstream = Upstream::start().await;
    for method in ["GET", "HEAD", "DELETE", "POST"] {
        let (pieces, body) = piecemeal();
        let mut request = request(method, upstream.uri("/"), body);
        request.headers_mut().insert("content-length", 4.into());
        let sending = async {
            pieces.send("bo").await;
            pieces.send("dy").await;
        };
        let (received, ()) = tokio::join!(on_the_wire(request, &upstream, "body"), sending);
        assert!(
            received.contains("\r\ncontent-length: 4\r\n"),
            "{received:?}"
        );
        assert!(!received.contains("transfer-encoding"), "{received:?}");
    }
}

#[tokio::test]
async fn a_request_without_content_is_not_framed_but_keeps_a_length_of_none() {
    let upstream = Upstream::start().await;
    for method in ["GET", "POST", "DELETE"] {
        let mut plain = request(method, upstream.uri("/"), Empty::<Bytes>::new());
        plain
            .headers_mut()
            .insert("trailer", "x-sum".parse().unwrap());
        plain
            .headers_mut()
            .insert("transfer-encoding", "chunked".parse().unwrap());
        let received = on_the_wire(plain, &upstream, "\r\n\r\n").await;
        let authority = upstream.0.local_addr().unwrap();
        assert_eq!(
            received,
            format!("{method} / HTTP/1.1\r\nhost: {authority}\r\n\r\n")
        );

        let mut explicit = request(method, upstream.uri("/"), Empty::<Bytes>::new());
        explicit.headers_mut().insert("content-length", 0.into());
        let received = on_the_wire(explicit, &upstream, "\r\n\r\n").await;
        assert!(
            received.contains("\r\ncontent-length: 0\r\n"),
            "{received:?}"
        );
    }
}

#[tokio::test]
async fn an_unusable_length_gives_way_to_chunks() {
    let upstream = Upstream::start().await;
    for lengths in [&["4", "4"][..], &["4", "5"], &["+4"], &["4, 4"], &["four"]] {
        let mut request = request("POST", upstream.uri("/"), chunks("body"));
        for length in lengths {
            request
                .headers_mut()
                .append("content-length", length.parse().unwrap());
        }
        let received = on_the_wire(request, &upstream, "0\r\n\r\n").await;
        assert!(
            received.contains("transfer-encoding: chunked"),
            "{received:?}"
        );
        assert!(!received.contains("content-length"), "{received:?}");
    }
}

#[tokio::test]
async fn trailers_pass_when_announced_and_harmless() {
    let upstream = Upstream::start().await;
    let (pieces, body) = piecemeal();
    let mut request = request("POST", upstream.uri("/"), body);
    let announced = "x-sum, content-length, authorization";
    request
        .headers_mut()
        .insert("trailer", announced.parse().unwrap());
    let sending = async {
        pieces.send("body").await;
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "content-length", "authorization", "x-other"] {
            trailers.insert(name, "1".parse().unwrap());
        }
        pieces.frame(Ok(Frame::trailers(trailers))).await;
    };
    let (received, ()) = tokio::join!(
        on_the_wire(request, &upstream, "0\r\nx-sum: 1\r\n\r\n"),
        sending
    );
    assert!(received.contains("\r\ntrailer: x-sum\r\n"), "{received:?}");
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_fails_the_request() {
    let upstream = Upstream::start().await;
    for (length, data) in [(5, "four"), (3, "four"), (1, "")] {
        let client = Client::new();
        let (pieces, body) = piecemeal();
        let mut request = request("POST", upstream.uri("/"), body);
        request
            .headers_mut()
            .insert("content-length", length.into());
        pieces.send(data).await;
        drop(pieces);
        let (response, rest) = tokio::join!(send(&client, request), async {
            upstream.accept().await.rest().await
        });
        let refused = response.err();
        assert!(
            matches!(refused, Some(SendError::RequestBody(_))),
            "{length}: {refused:?}"
        );
        assert!(!rest.contains("four") || length == 5, "{rest:?}");
    }
    // hyper would announce content and send none, so that the next request on the connection would be taken for it.
    let mut empty = get(upstream.uri("/"));
    empty.headers_mut().insert("content-length", 5.into());
    let refused = send(&Client::new(), empty).await.err();
    assert!(
        matches!(refused, Some(SendError::RequestBody(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_failing_body_fails_the_request_with_its_own_reason() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (pieces, body) = piecemeal();
    let (response, rest) = tokio::join!(
        send(&client, request("POST", upstream.uri("/"), body)),
        async {
            let mut peer = upstream.accept().await;
            pieces.send("first").await;
            peer.until("first\r\n").await;
            pieces.frame(Err(io::Error::other("the client left"))).await;
            peer.rest().await
        }
    );
    assert_eq!(rest, "", "the request must not look complete");
    let Err(SendError::RequestBody(reason)) = response else {
        panic!("{:?}", response.err());
    };
    let reason = reason.downcast::<io::Error>().unwrap();
    assert_eq!(reason.to_string(), "the client left");
}

#[tokio::test]
async fn a_request_that_cannot_be_one_is_refused_before_it_is_sent() {
    let client = Client::new();
    for (method, uri) in [
        ("CONNECT", "http://127.0.0.1:9/"),
        ("GET", "/relative"),
        ("GET", "ftp://127.0.0.1/"),
    ] {
        let refused = send(
            &client,
            request(method, uri.to_owned(), Empty::<Bytes>::new()),
        )
        .await
        .err();
        assert!(
            matches!(refused, Some(SendError::InvalidRequest(_))),
            "{method} {uri}: {refused:?}"
        );
    }
}

//! What becomes of responses, whole and broken.

use super::*;

async fn answered(bytes: &[u8]) -> Result<Response<UpstreamBody>, SendError> {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, ()) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.stream.write_all(bytes).await.ok();
    });
    response
}

#[tokio::test]
async fn a_whole_response_is_relayed() {
    let response = answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 418 Short And Stout\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert_eq!(text(response).await.unwrap(), "hello");
}

#[tokio::test]
async fn trailers_are_relayed_without_what_must_not_trail() {
    let response = answered(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, host\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\nhost: evil\r\n\r\n").await.unwrap();
    assert_eq!(response.headers()["trailer"], "x-sum");
    let whole = response.into_body().collect().await.unwrap();
    let trailers = whole.trailers().unwrap();
    assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
}

#[tokio::test]
async fn a_response_that_is_cut_short_is_an_error() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npa",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nX\r\n",
    ] {
        let response = answered(bytes).await.unwrap();
        let ended = text(response).await;
        assert!(
            matches!(ended, Err(SendError::Cut(_))),
            "{:?}: {ended:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

#[tokio::test]
async fn a_body_that_the_end_of_the_connection_ends_is_whole() {
    let response = answered(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        .await
        .unwrap();
    assert_eq!(text(response).await.unwrap(), "until the end");
}

#[tokio::test]
async fn what_is_no_response_is_malformed() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1_000_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        long.as_bytes(),
        endless.as_bytes(),
        many.as_bytes(),
    ] {
        let refused = answered(bytes).await.err();
        let start: String = bytes
            .iter()
            .take(60)
            .map(|byte| char::from(*byte))
            .collect();
        assert!(
            matches!(refused, Some(SendError::Malformed(_))),
            "{start:?}: {refused:?}"
        );
    }
    let largest = format!(
        "HTTP/1.1 204 No Content\r\nx: {}\r\n\r\n",
        "y".repeat(60_000)
    );
    answered(largest.as_bytes()).await.unwrap();
    let most = format!("HTTP/1.1 204 No Content\r\n{}\r\n", "x: y\r\n".repeat(100));
    answered(most.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_says_nothing_has_closed() {
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent"] {
        let refused = answered(bytes).await.err();
        assert!(matches!(refused, Some(SendError::Closed(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_large_body_flows_both_ways() {
    const SIZE: usize = 8 << 20;
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let sent = Full::new(Bytes::from(vec![b'x'; SIZE]));
    let mut sent = request("PUT", upstream.uri("/"), sent);
    sent.headers_mut().insert("content-length", SIZE.into());
    let (response, ()) = tokio::join!(
        async {
            let response = send(&client, sent).await.unwrap();
            text(response).await
        },
        async {
            let mut peer = upstream.accept().await;
            let head = peer.head().await;
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n"))
                .await;
            assert!(
                head.contains(&format!("content-length: {SIZE}")),
                "{head:?}"
            );
            let mut left = SIZE - peer.read.len();
            peer.send(&peer.read.clone()).await;
            let mut buffer = vec![0; 1 << 16];
            while left > 0 {
                let read = peer.stream.read(&mut buffer).await.unwrap();
                peer.send(&buffer[..read]).await;
                left -= read;
            }
        }
    );
    assert_eq!(response.unwrap().len(), SIZE);
}

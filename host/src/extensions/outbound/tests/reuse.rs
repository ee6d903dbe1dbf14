//! When a connection serves again, and when never.

use tokio_rustls::rustls::RootCertStore;

use super::super::pool::Bounds;
use super::*;

fn bounded(per_origin: usize, total: usize, lifetime: Duration) -> Client {
    let bounds = Bounds {
        per_origin,
        total,
        lifetime,
    };
    Client::with(RootCertStore::empty(), bounds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_exchange_is_complete_serves_the_next_request() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let uri = upstream.uri("/");
    let (first, mut peer) = tokio::join!(send(&client, get(uri.clone())), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(first.unwrap()).await.unwrap();
    for answer in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
        OK,
    ] {
        let posted = request("POST", uri.clone(), chunks("body"));
        let (response, _) = tokio::join!(send(&client, posted), async {
            peer.until("0\r\n\r\n").await;
            peer.send(answer).await;
        });
        text(response.unwrap()).await.unwrap();
    }
    assert_eq!(client.pool.resting(), 1);
}

#[tokio::test]
async fn a_response_without_content_gives_its_connection_back_before_it_is_read() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let head = request("HEAD", upstream.uri("/"), Empty::<Bytes>::new());
    let (response, mut peer) = tokio::join!(send(&client, head), async {
        let mut peer = upstream.accept().await;
        peer.answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
            .await;
        peer
    });
    let response = response.unwrap();
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers()["content-length"], "5");
    exchange(&client, upstream.uri("/"), &mut peer).await;
}

#[tokio::test]
async fn what_an_upstream_sends_with_its_response_is_not_read_as_the_next_one() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(&format!("{OK}{poison}")).await;
        peer
    });
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
    let (response, _) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        upstream.accept().await.answer(OK).await
    });
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
    assert_eq!(
        peer.rest().await,
        "",
        "the poisoned connection got a request"
    );
}

#[tokio::test]
async fn what_an_upstream_sends_unasked_is_not_read_as_the_next_response() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    assert_eq!(client.pool.resting(), 1);
    // The only thread is here: the runtime has not been told of these bytes when the next request is sent.
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    assert_eq!(
        peer.stream.try_write(poison.as_bytes()).unwrap(),
        poison.len()
    );
    // Not idempotent: it goes elsewhere because none of it was sent here.
    let post = request("POST", upstream.uri("/"), Full::from("body"));
    let (response, _) = tokio::join!(send(&client, post), async {
        let mut fresh = upstream.accept().await;
        fresh.until("body").await;
        fresh.send(OK).await;
    });
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
    assert_eq!(
        peer.rest().await,
        "",
        "the poisoned connection got a request"
    );
}

#[tokio::test]
async fn a_kept_connection_that_its_upstream_has_closed_is_not_used() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    drop(peer);
    let post = request("POST", upstream.uri("/"), Full::from("body"));
    let (response, _) = tokio::join!(send(&client, post), async {
        let mut fresh = upstream.accept().await;
        fresh.until("body").await;
        fresh.send(OK).await;
    });
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_early_response_ends_the_connection_of_a_request_that_is_still_sent() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (pieces, body) = piecemeal();
    pieces.send("first").await;
    let (response, mut peer) = tokio::join!(
        send(&client, request("POST", upstream.uri("/"), body)),
        async {
            let mut peer = upstream.accept().await;
            peer.until("first\r\n").await;
            peer.send(OK).await;
            peer
        }
    );
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
    assert_eq!(client.pool.resting(), 0);
    pieces.send("GET /other HTTP/1.1\r\n\r\n").await;
    peer.read.clear();
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn a_response_that_nobody_reads_to_its_end_ends_its_connection() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
            .await;
        peer
    });
    let mut body = response.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(peer.rest().await, "");
    assert_eq!(client.pool.resting(), 0);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends_its_connection() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let mut sending = Box::pin(send(&client, get(upstream.uri("/"))));
    let mut peer = tokio::select! {
        _ = &mut sending => panic!("there was no answer"),
        peer = async {
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer
        } => peer,
    };
    drop(sending);
    peer.read.clear();
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn a_response_that_forbids_it_or_leaves_doubt_ends_the_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let (client, upstream) = (Client::new(), Upstream::start().await);
        let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
            let mut peer = upstream.accept().await;
            peer.answer(answer).await;
            peer
        });
        assert_eq!(text(response.unwrap()).await.unwrap(), "ok", "{answer:?}");
        assert_eq!(client.pool.resting(), 0, "{answer:?}");
        assert_eq!(peer.rest().await, "", "{answer:?}");
    }
}

/// Serves one exchange, reads the head of the next request on the same connection, and breaks off.
async fn break_off(upstream: &Upstream, client: &Client) -> impl Future<Output = ()> + use<> {
    let (response, mut peer) = tokio::join!(send(client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    async move {
        peer.head().await;
    }
}

#[tokio::test]
async fn an_idempotent_request_without_content_is_sent_once_more_after_a_kept_connection_broke_off()
{
    for method in ["GET", "HEAD", "DELETE", "PROPFIND"] {
        let (client, upstream) = (Client::new(), Upstream::start().await);
        let broken = break_off(&upstream, &client).await;
        let retried = request(method, upstream.uri("/"), Empty::<Bytes>::new());
        let (response, head) = tokio::join!(send(&client, retried), async {
            broken.await;
            upstream.accept().await.answer(OK).await
        });
        assert_eq!(response.unwrap().status(), 200, "{method}");
        assert!(
            head.starts_with(&format!("{method} / HTTP/1.1\r\n")),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn nothing_else_is_sent_twice() {
    for (method, content) in [
        ("POST", ""),
        ("LOCK", ""),
        ("PUT", "content"),
        ("GET", "content"),
    ] {
        let (client, upstream) = (Client::new(), Upstream::start().await);
        let broken = break_off(&upstream, &client).await;
        let body = Full::<Bytes>::from(content);
        let (response, ()) = tokio::join!(
            send(&client, request(method, upstream.uri("/"), body)),
            broken
        );
        let refused = response.err();
        assert!(
            matches!(refused, Some(SendError::Closed(_))),
            "{method}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_request_is_not_repeated_after_the_response_has_begun_or_on_a_new_connection() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, ()) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        upstream.accept().await.head().await;
    });
    assert!(matches!(response.err(), Some(SendError::Closed(_))));

    let (response, mut peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    let (response, ()) = tokio::join!(send(&client, get(upstream.uri("/"))), async move {
        peer.answer("HTTP/1.1 2").await;
    });
    assert!(matches!(response.err(), Some(SendError::Closed(_))));
}

#[tokio::test]
async fn no_more_connections_rest_than_may() {
    let client = bounded(2, 3, Duration::from_secs(60));
    let mut upstreams = Vec::new();
    for _ in 0..2 {
        let upstream = Upstream::start().await;
        let mut responses = Vec::new();
        for _ in 0..3 {
            let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
                let mut peer = upstream.accept().await;
                peer.answer(OK).await;
                peer
            });
            responses.push((response.unwrap(), peer));
        }
        let mut peers = Vec::new();
        for (response, peer) in responses {
            text(response).await.unwrap();
            peers.push(peer);
        }
        upstreams.push(peers);
    }
    assert_eq!(client.pool.resting(), 3);
    // The longest rested went first.
    assert_eq!(upstreams[0].remove(0).rest().await, "");
    assert_eq!(upstreams[0].remove(0).rest().await, "");
    assert_eq!(upstreams[1].remove(0).rest().await, "");
}

#[tokio::test]
async fn a_connection_that_rests_too_long_is_ended() {
    let client = bounded(2, 3, Duration::from_millis(50));
    let upstream = Upstream::start().await;
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    assert_eq!(peer.rest().await, "");
    assert_eq!(client.pool.resting(), 0);
}

#[tokio::test]
async fn a_client_that_is_dropped_ends_its_connections() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let (response, peer) = tokio::join!(send(&client, get(upstream.uri("/"))), async {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peer
    });
    text(response.unwrap()).await.unwrap();
    drop(client);
    assert_eq!(peer.rest().await, "");
}

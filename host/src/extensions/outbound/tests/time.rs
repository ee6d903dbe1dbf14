//! Each phase has its own limit.

use super::*;

/// For what is to time out.
const SHORT: Duration = Duration::from_millis(60);
/// For what must not, on a busy machine either; four pauses are longer.
const AMPLE: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(200);

async fn send_within<B>(
    client: &Client,
    request: Request<B>,
    limits: Limits,
) -> Result<Response<UpstreamBody>, SendError>
where
    B: Body<Data = Bytes, Error: Into<super::super::error::BoxError>> + Send + Unpin + 'static,
{
    client.send(request, limits, Reach::Anywhere).await
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_times_out_by_first_byte() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        first_byte: SHORT,
        ..PATIENT
    };
    let (response, rest) = tokio::join!(
        send_within(&client, get(upstream.uri("/")), limits),
        async { upstream.accept().await.rest().await }
    );
    let failure = response.err();
    assert!(
        matches!(failure, Some(SendError::FirstByteTimeout(_))),
        "{failure:?}"
    );
    assert!(rest.starts_with("GET / "), "{rest:?}");
}

#[tokio::test]
async fn a_connection_that_waited_before_has_the_whole_limit_again() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        first_byte: AMPLE,
        ..PATIENT
    };
    let (response, mut peer) = tokio::join!(
        send_within(&client, get(upstream.uri("/")), limits),
        async {
            let mut peer = upstream.accept().await;
            peer.answer(OK).await;
            peer
        }
    );
    text(response.unwrap()).await.unwrap();
    let started = std::time::Instant::now();
    let (response, _) = tokio::join!(
        send_within(&client, get(upstream.uri("/")), limits),
        peer.head()
    );
    assert!(matches!(
        response.err(),
        Some(SendError::FirstByteTimeout(_))
    ));
    assert!(
        started.elapsed() >= AMPLE - Duration::from_millis(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_response_that_falls_silent_times_out_by_idle() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        idle: SHORT,
        ..PATIENT
    };
    let (response, peer) = tokio::join!(
        send_within(&client, get(upstream.uri("/")), limits),
        async {
            let mut peer = upstream.accept().await;
            peer.answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
                .await;
            peer
        }
    );
    let failure = text(response.unwrap()).await.err();
    assert!(
        matches!(failure, Some(SendError::IdleTimeout(_))),
        "{failure:?}"
    );
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn a_request_that_its_sender_sends_slowly_is_not_the_upstreams_fault() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        connect: PATIENT.connect,
        first_byte: AMPLE,
        idle: AMPLE,
    };
    let (pieces, body) = piecemeal();
    let (response, ()) = tokio::join!(
        send_within(&client, request("POST", upstream.uri("/"), body), limits),
        async {
            let mut peer = upstream.accept().await;
            for _ in 0..4 {
                tokio::time::sleep(PAUSE).await;
                pieces.send("piece").await;
                peer.until("piece\r\n").await;
            }
            drop(pieces);
            peer.until("0\r\n\r\n").await;
            peer.send(OK).await;
        }
    );
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_upstream_that_stops_taking_the_request_times_out() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        idle: SHORT,
        ..PATIENT
    };
    let endless = http_body_util::StreamBody::new(futures::stream::repeat_with(|| {
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 65536])))
    }));
    let sending = send_within(&client, request("POST", upstream.uri("/"), endless), limits);
    let (response, _peer) = tokio::join!(sending, upstream.accept());
    let failure = response.err();
    assert!(
        matches!(failure, Some(SendError::UploadTimeout(_))),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_response_may_be_silent_while_its_request_goes_on() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        idle: AMPLE,
        ..PATIENT
    };
    let (pieces, body) = piecemeal();
    let (whole, ()) = tokio::join!(
        async {
            let response =
                send_within(&client, request("POST", upstream.uri("/"), body), limits).await;
            text(response.unwrap()).await
        },
        async {
            let mut peer = upstream.accept().await;
            peer.answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
                .await;
            for _ in 0..4 {
                tokio::time::sleep(PAUSE).await;
                pieces.send("piece").await;
                peer.until("piece\r\n").await;
            }
            drop(pieces);
            peer.until("0\r\n\r\n").await;
            peer.send("ok").await;
        }
    );
    assert_eq!(whole.unwrap(), "ok");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_times_out_by_connect() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        connect: SHORT,
        ..PATIENT
    };
    let uri = upstream.uri("/").replace("http:", "https:");
    let (response, _peer) = tokio::join!(send_within(&client, get(uri), limits), upstream.accept());
    let failure = response.err();
    assert!(
        matches!(failure, Some(SendError::ConnectTimeout { .. })),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_connected_to_says_why() {
    let client = Client::new();
    let gone = Upstream::start().await.uri("/");
    let failure = send(&client, get(gone)).await.err();
    assert!(
        matches!(failure, Some(SendError::Refused { .. })),
        "{failure:?}"
    );
    let failure = send(&client, get("http://name.invalid/".to_owned()))
        .await
        .err();
    assert!(
        matches!(failure, Some(SendError::NotResolved { .. })),
        "{failure:?}"
    );
    let upstream = Upstream::start().await;
    for uri in [
        upstream.uri("/"),
        upstream.uri("/").replace("127.0.0.1", "localhost"),
    ] {
        let failure = client
            .send(get(uri), PATIENT, Reach::PublicOnly)
            .await
            .err();
        assert!(
            matches!(failure, Some(SendError::Prohibited { .. })),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_limit_may_be_as_long_as_can_be_said() {
    let (client, upstream) = (Client::new(), Upstream::start().await);
    let limits = Limits {
        connect: Duration::MAX,
        first_byte: Duration::MAX,
        idle: Duration::MAX,
    };
    let (pieces, body) = piecemeal();
    let (whole, ()) = tokio::join!(
        async {
            let request = request("POST", upstream.uri("/"), body);
            text(send_within(&client, request, limits).await.unwrap()).await
        },
        async {
            let mut peer = upstream.accept().await;
            peer.head().await;
            pieces.send("piece").await;
            peer.until("piece\r\n").await;
            drop(pieces);
            peer.until("0\r\n\r\n").await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
                .await;
            // The body is asked for, in vain, before it comes.
            tokio::task::yield_now().await;
            peer.send("ok").await;
        }
    );
    assert_eq!(whole.unwrap(), "ok");
}

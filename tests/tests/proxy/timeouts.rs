//! Upstreams that make one wait: each phase has its limit, and the error says which it was.

use std::time::Duration;

use end_to_end::{Gateway, GatewayOptions, Home, Script, UPSTREAM_URL, Upstream, Wire};
use tokio::net::TcpListener;

use crate::{assert_error, head};

const UPSTREAM_ERROR: &str = "Minds API proxy upstream error: ";
const CONNECT: &str = "LATCHKEY_EXTENSION_MINDS_API_CONNECT_TIMEOUT_SECONDS";
const FIRST_BYTE: &str = "LATCHKEY_EXTENSION_MINDS_API_FIRST_BYTE_TIMEOUT_SECONDS";
const IDLE: &str = "LATCHKEY_EXTENSION_MINDS_API_IDLE_TIMEOUT_SECONDS";

fn before(url: impl Into<std::ffi::OsString>) -> GatewayOptions {
    Gateway::in_home(Home::new()).environment(UPSTREAM_URL, url)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_does_not_come_about() {
    use tokio::net::{TcpSocket, TcpStream};

    // A backlog that is full: further connections are neither accepted nor refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let pause = Duration::from_millis(500);
    while let Ok(Ok(stream)) = tokio::time::timeout(pause, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let gateway = before(format!("http://{address}"))
        .environment(CONNECT, "0.3")
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "connect");
}

#[tokio::test]
async fn a_handshake_that_does_not_end() {
    // Connections wait in the backlog; nobody speaks TLS there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = before(format!("https://{address}"))
        .environment(CONNECT, "0.3")
        .start()
        .await;
    let answer = gateway.admin().get("/minds-api-proxy/x").await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "connect");
}

#[tokio::test]
async fn an_answer_that_does_not_begin() {
    let upstream = Upstream::start().await;
    let gateway = before(upstream.url())
        .environment(FIRST_BYTE, "0.3")
        .start()
        .await;
    let silent = Script::new().silence();
    for (method, script) in [
        ("GET", silent.clone()),
        ("POST", silent),
        ("GET", Script::early("HTTP/1.1 200 OK\r\nx-half").silence()),
        (
            "GET",
            Script::early("HTTP/1.1 103 Early Hints\r\n\r\n").silence(),
        ),
    ] {
        upstream.answer(script);
        let answer = gateway
            .admin()
            .request(method, "/minds-api-proxy/x")
            .send()
            .await;
        assert_error(&answer, 502, UPSTREAM_ERROR, "answer");
    }
    upstream.abandoned("/x").await;
}

#[tokio::test]
async fn an_answer_that_does_not_go_on() {
    let upstream = Upstream::start().await;
    let gateway = before(upstream.url())
        .environment(IDLE, "0.3")
        .start()
        .await;
    for half in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhalf",
    ] {
        upstream.answer(Script::early(half).silence());
        let mut wire = Wire::connect(gateway.address()).await;
        wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
            .await;
        let answers = wire.rest().await;
        let [answer] = answers.as_slice() else {
            panic!("{half:?}: {answers:?}");
        };
        // An answer without a length is chunked for the client, so that its break can be seen.
        assert_eq!(
            (&*answer.text(), answer.complete),
            ("half", false),
            "{half:?}"
        );
        upstream.abandoned("/x").await;
    }
}

#[tokio::test]
async fn a_request_that_is_not_taken() {
    let upstream = Upstream::start().await;
    let gateway = before(upstream.url())
        .environment(IDLE, "0.5")
        .start()
        .await;
    upstream.answer(Script::new().unread().silence());
    let answer = gateway
        .admin()
        .request("PUT", "/minds-api-proxy/x")
        .body(vec![0; 64 * 1024 * 1024])
        .send()
        .await;
    assert_error(&answer, 502, UPSTREAM_ERROR, "request");
}

#[tokio::test]
async fn what_takes_its_time_within_the_limits_is_served() {
    let upstream = Upstream::start().await;
    let gateway = before(upstream.url())
        .environment(FIRST_BYTE, "30")
        .environment(IDLE, "30.5")
        .environment(CONNECT, "30")
        .start()
        .await;
    let gate = end_to_end::Gate::new();
    upstream.answer(
        Script::new()
            .wait(&gate)
            .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    );
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    upstream.asked_for("/x").await;
    gate.open();
    assert_eq!(wire.answer().await.text(), "ok");
}

/// How long clients take that are slower than any limit of [`impatient`]'s.
const SLOW: Duration = Duration::from_secs(3);

fn impatient(upstream: &Upstream) -> GatewayOptions {
    before(upstream.url())
        .environment(FIRST_BYTE, "2")
        .environment(IDLE, "2")
}

#[tokio::test]
async fn a_client_that_sends_slowly_is_not_the_upstream_s_fault() {
    let upstream = Upstream::start().await;
    let gateway = impatient(&upstream).start().await;
    upstream.answer_with(|_, request| match request.path() {
        "/early" => Script::early("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
            .await_body()
            .send("k"),
        _ => Script::text(200, "ok"),
    });
    let mut sending = Vec::new();
    for (framing, first, second) in [
        ("content-length: 10\r\n", "first", "other"),
        (
            "transfer-encoding: chunked\r\n",
            "5\r\nfirst\r\n",
            "5\r\nother\r\n0\r\n\r\n",
        ),
    ] {
        for path in ["/late", "/early"] {
            let line = format!("PUT /minds-api-proxy{path}");
            let begun = head(&gateway.admin(), &line, framing) + first;
            let address = gateway.address();
            sending.push(tokio::spawn(async move {
                let mut wire = Wire::connect(address).await;
                wire.send(begun).await;
                tokio::time::sleep(SLOW).await;
                wire.send(second).await;
                let answer = wire.answer().await;
                assert_eq!(answer.text(), "ok", "{path} with {framing:?}: {answer:?}");
            }));
        }
    }
    for sender in sending {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_the_upstream_s_fault() {
    const LENGTH: usize = 32 * 1024 * 1024;
    let upstream = Upstream::start().await;
    let gateway = impatient(&upstream).start().await;
    let head_of_answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
    upstream.answer(Script::early(head_of_answer).send(vec![b'x'; LENGTH]));
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    tokio::time::sleep(SLOW).await;
    assert_eq!(wire.answer().await.body.len(), LENGTH);
}

#[tokio::test]
async fn a_limit_that_is_no_number_is_an_error_that_names_it() {
    for (name, value) in [
        (CONNECT, "soon"),
        (FIRST_BYTE, "-1"),
        (IDLE, "1s"),
        (CONNECT, "NaN"),
        (IDLE, "inf"),
    ] {
        let home = Home::new();
        let outcome = home
            .command(["gateway", "--listen-port", "0", "--latchkey-directory"])
            .argument(home.latchkey_directory())
            .environment(name, value)
            .run()
            .expect_code(1);
        assert!(outcome.stderr.contains(name), "{name}={value}: {outcome}");
    }
}

//! Bodies stream both ways: what has arrived is passed on at once, whatever is still to come, and however much.

use end_to_end::{Gate, Script, Wire};

use crate::{head, pair};

const TE: &str = "transfer-encoding: chunked\r\n";
const MIB: usize = 1024 * 1024;

/// Bytes that show where they come from.
fn pattern(length: usize) -> Vec<u8> {
    let numbers =
        (0..).flat_map(|count: u64| (count.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
    numbers.take(length).collect()
}

#[tokio::test]
async fn a_request_s_body_is_passed_on_as_it_comes() {
    let (upstream, gateway) = pair().await;
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "POST /minds-api-proxy/x", TE))
        .await;
    upstream.asked_for("/x").await;
    let mut sent = String::new();
    for part in ["first", " second", " third"] {
        wire.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
        sent += part;
        upstream
            .request(part, |request| request.text() == sent)
            .await;
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(wire.answer().await.status(), 200);
    assert!(upstream.requests()[0].complete);
}

#[tokio::test]
async fn a_request_s_body_with_a_length_keeps_it() {
    let (upstream, gateway) = pair().await;
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(
        head(
            &gateway.admin(),
            "PUT /minds-api-proxy/x",
            "content-length: 10\r\n",
        ) + "first",
    )
    .await;
    let request = upstream
        .request("half of it", |request| request.text() == "first")
        .await;
    assert_eq!(request.header("content-length"), Some("10"));
    assert_eq!(request.header("transfer-encoding"), None);
    wire.send("other").await;
    assert_eq!(wire.answer().await.status(), 200);
}

#[tokio::test]
async fn a_response_s_body_is_passed_on_as_it_comes() {
    let (upstream, gateway) = pair().await;
    let gates = [Gate::new(), Gate::new()];
    upstream.answer(
        Script::early("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n")
            .wait(&gates[0])
            .send("first ")
            .wait(&gates[1])
            .send("and then\n"),
    );
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    let answer = wire.partial("the head", |_| true).await;
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    gates[0].open();
    wire.partial("the first part", |answer| answer.body == b"first ")
        .await;
    gates[1].open();
    assert_eq!(wire.answer().await.text(), "first and then\n");
}

#[tokio::test]
async fn both_directions_flow_at_once() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "POST /minds-api-proxy/x", TE))
        .await;
    let mut sent = Vec::new();
    for part in ["ping", "pong", "ping again"] {
        wire.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
        sent.extend_from_slice(part.as_bytes());
        wire.partial(part, |answer| answer.body == sent).await;
    }
    wire.send("0\r\n\r\n").await;
    assert!(wire.answer().await.complete);
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    let body = pattern(20 * MIB + 17);
    let answer = gateway
        .admin()
        .request("PUT", "/minds-api-proxy/x")
        .body(body.clone())
        .send()
        .await
        .expect(200);
    assert_eq!(answer.body.len(), body.len());
    assert!(answer.body == body, "the answer is not what was sent");
    assert!(
        upstream.requests()[0].body == body,
        "the upstream has not got what was sent"
    );
}

#[tokio::test]
async fn bodies_of_awkward_sizes_arrive_whole() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    for size in [
        1, 2, 4_095, 4_096, 4_097, 8_192, 16_384, 65_535, 65_536, 65_537, MIB,
    ] {
        let body = pattern(size);
        let answer = gateway
            .admin()
            .request("POST", "/minds-api-proxy/x")
            .body(body.clone())
            .send()
            .await
            .expect(200);
        assert!(answer.body == body, "{size}");
    }
}

#[tokio::test]
async fn an_early_answer_arrives_before_the_body_is_sent() {
    let (upstream, gateway) = pair().await;
    for (name, script) in [
        (
            "and goes on reading",
            Script::early("HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nlarge"),
        ),
        (
            "and closes",
            Script::early("HTTP/1.1 413 No\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlarge")
                .close(),
        ),
        (
            "and reads no more",
            Script::early("HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nlarge").unread(),
        ),
    ] {
        upstream.answer(script);
        for framing in ["content-length: 100000000\r\n", TE] {
            let mut wire = Wire::connect(gateway.address()).await;
            wire.send(head(&gateway.admin(), "POST /minds-api-proxy/x", framing))
                .await;
            let answer = wire.answer().await;
            assert_eq!(
                (answer.status(), &*answer.text()),
                (413, "large"),
                "{name}, {framing:?}"
            );
        }
    }
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client() {
    let (upstream, gateway) = pair().await;
    let gate = Gate::new();
    upstream.answer(
        Script::new()
            .unread()
            .wait(&gate)
            .send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
    );
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(
        &gateway.admin(),
        "POST /minds-api-proxy/x",
        "content-length: 1073741824\r\n",
    ))
    .await;
    // As much as buffers on the way hold, and no more: what is not read is not taken either.
    let taken = wire.fill(64 * MIB).await;
    assert!(
        taken < 64 * MIB,
        "{taken} bytes were taken that nobody reads"
    );
    gate.open();
    assert_eq!(wire.answer().await.text(), "ok");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    let (upstream, gateway) = pair().await;
    let part = vec![b'x'; MIB];
    let mut script = Script::early(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        64 * MIB
    ));
    let gate = Gate::new();
    for _ in 0..63 {
        script = script.send(part.clone());
    }
    upstream.answer(script.wait(&gate).send(part));
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    upstream.asked_for("/x").await;
    // Another client is served meanwhile.
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/y").await.expect(200);
    gate.open();
    let answer = wire.answer().await;
    assert_eq!(answer.body.len(), 64 * MIB);
}

#[tokio::test]
async fn many_bodies_flow_at_once() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    let admin = gateway.admin();
    let tasks: Vec<_> = (0..20_u8)
        .map(|number| {
            let admin = admin.clone();
            tokio::spawn(async move {
                let body = vec![number; 300_000 + usize::from(number)];
                let answer = admin
                    .request("POST", "/minds-api-proxy/x")
                    .body(body.clone())
                    .send()
                    .await
                    .expect(200);
                assert!(answer.body == body, "{number}: another's body");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

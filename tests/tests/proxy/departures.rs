//! Clients that leave early: their calls to the upstream end with them.

use end_to_end::{Script, Wire};

use crate::{head, pair};

const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";

fn leave(wire: Wire, reset: bool) {
    if reset {
        wire.reset();
    } else {
        drop(wire);
    }
}

#[tokio::test]
async fn before_the_answer_begins() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::new().silence());
    for (number, reset) in [false, true].into_iter().enumerate() {
        for method in ["GET", "POST"] {
            let target = format!("/{method}{number}");
            let mut wire = Wire::connect(gateway.address()).await;
            let line = format!("{method} /minds-api-proxy{target}");
            wire.send(head(&gateway.admin(), &line, "")).await;
            upstream.asked_for(&target).await;
            leave(wire, reset);
            upstream.abandoned(&target).await;
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_an_answer() {
    let (upstream, gateway) = pair().await;
    for reset in [false, true] {
        for (name, begun) in [("length", LENGTH), ("chunks", CHUNKS)] {
            upstream.answer(Script::early(begun).silence());
            let target = format!("/{name}-{reset}");
            let mut wire = Wire::connect(gateway.address()).await;
            let line = format!("GET /minds-api-proxy{target}");
            wire.send(head(&gateway.admin(), &line, "")).await;
            wire.partial("half of it", |answer| answer.body == b"half")
                .await;
            leave(wire, reset);
            upstream.abandoned(&target).await;
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_an_upload() {
    let (upstream, gateway) = pair().await;
    for reset in [false, true] {
        for (name, framing, part) in [
            ("length", "content-length: 100\r\n", "half"),
            ("chunks", "transfer-encoding: chunked\r\n", "4\r\nhalf\r\n"),
        ] {
            let target = format!("/{name}-{reset}");
            let mut wire = Wire::connect(gateway.address()).await;
            let line = format!("PUT /minds-api-proxy{target}");
            wire.send(head(&gateway.admin(), &line, framing) + part)
                .await;
            upstream
                .request("half of it", |request| {
                    request.target() == target && request.text() == "half"
                })
                .await;
            leave(wire, reset);
            upstream.abandoned(&target).await;
        }
    }
    // Half an upload is never a whole one.
    assert!(upstream.requests().iter().all(|request| !request.complete));
}

#[tokio::test]
async fn in_the_middle_of_both() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::echo());
    for reset in [false, true] {
        let target = format!("/{reset}");
        let mut wire = Wire::connect(gateway.address()).await;
        let line = format!("POST /minds-api-proxy{target}");
        wire.send(
            head(&gateway.admin(), &line, "transfer-encoding: chunked\r\n") + "4\r\nhalf\r\n",
        )
        .await;
        wire.partial("half of it", |answer| answer.body == b"half")
            .await;
        leave(wire, reset);
        upstream.abandoned(&target).await;
    }
}

#[tokio::test]
async fn while_the_upstream_sends_more_than_is_read() {
    let (upstream, gateway) = pair().await;
    let part = bytes::Bytes::from(vec![b'x'; 1024 * 1024]);
    let mut script = Script::early("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
    for _ in 0..256 {
        script = script.send(part.clone());
    }
    upstream.answer(script);
    let mut wire = Wire::connect(gateway.address()).await;
    wire.send(head(&gateway.admin(), "GET /minds-api-proxy/x", ""))
        .await;
    wire.partial("some of it", |answer| !answer.body.is_empty())
        .await;
    drop(wire);
    upstream.abandoned("/x").await;
}

#[tokio::test]
async fn many_leave_and_the_gateway_lives() {
    let (upstream, gateway) = pair().await;
    upstream.answer(Script::new().silence());
    let mut wires = Vec::new();
    for number in 0..100 {
        let mut wire = Wire::connect(gateway.address()).await;
        wire.send(head(
            &gateway.admin(),
            &format!("GET /minds-api-proxy/{number}"),
            "",
        ))
        .await;
        wires.push(wire);
    }
    for number in 0..100 {
        upstream.asked_for(&format!("/{number}")).await;
    }
    drop(wires);
    upstream
        .until("all connections end", |connections| {
            connections
                .iter()
                .all(|connection| connection.ended)
                .then_some(())
        })
        .await;
    upstream.answer(Script::text(200, "ok"));
    gateway.admin().get("/minds-api-proxy/x").await.expect(200);
}

#[tokio::test]
async fn a_client_that_only_stops_sending_is_answered() {
    let (upstream, gateway) = pair().await;
    let gate = end_to_end::Gate::new();
    upstream.answer(
        Script::new()
            .await_body()
            .wait(&gate)
            .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    );
    let mut wire = Wire::connect(gateway.address()).await;
    let body = "content-length: 4\r\nconnection: close\r\n";
    wire.send(head(&gateway.admin(), "POST /minds-api-proxy/x", body) + "body")
        .await;
    upstream
        .request("all of it", |request| request.complete)
        .await;
    wire.finish_sending().await;
    gate.open();
    assert_eq!(wire.answer().await.text(), "ok");
}

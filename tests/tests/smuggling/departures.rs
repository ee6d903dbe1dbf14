//! Clients that leave in the middle: what they had sent is no beginning of anything.

use end_to_end::{Connection, Script};

use crate::scene::{Scene, chunked};

const TE: &str = "transfer-encoding: chunked\r\n";

/// Has A send these bytes and leave, by a reset or in order, once the upstream has the beginning of the request.
async fn leave(scene: &mut Scene, name: &str, bytes: String, reset: bool) {
    let name = format!("{name}, {}", if reset { "broken off" } else { "hung up" });
    eprintln!("attack: {name}");
    let before = times_asked(&scene.upstream.connections());
    let mut wire = scene.wire().await;
    wire.send(bytes).await;
    scene
        .upstream
        .until("the request reaches the upstream", |connections| {
            (times_asked(connections) > before).then_some(())
        })
        .await;
    if reset {
        wire.reset();
    } else {
        drop(wire);
    }
    // Nobody is left to answer; the next connection shows what came of it.
    let wire = scene.wire().await;
    scene.holds(&name, wire.transcript()).await;
}

fn times_asked(connections: &[Connection]) -> usize {
    let requests = connections.iter().flat_map(Connection::requests);
    requests
        .filter(|request| request.path().ends_with("/left"))
        .count()
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_body() {
    let mut scene = Scene::set().await;
    let theft = scene.theft();
    for reset in [false, true] {
        for method in ["POST", "GET", "DELETE"] {
            let head = scene.ask(method, "left", TE);
            let cases = [
                (
                    "behind a chunk",
                    format!("{head}{:x}\r\n{theft}\r\n", theft.len()),
                ),
                (
                    "within a chunk",
                    format!("{head}{:x}\r\n{theft}", theft.len() + 100),
                ),
                ("before the first chunk", head.clone()),
                (
                    "before the last line",
                    format!("{head}{:x}\r\n{theft}\r\n0\r\n", theft.len()),
                ),
            ];
            for (name, bytes) in cases {
                leave(&mut scene, &format!("{method}, {name}"), bytes, reset).await;
            }
            let head = scene.ask(method, "left", "content-length: 1000\r\n");
            leave(
                &mut scene,
                &format!("{method}, within a length"),
                head + &theft,
                reset,
            )
            .await;
        }
    }
    let requests = scene.upstream.requests();
    let mut left = requests
        .iter()
        .filter(|request| request.path().ends_with("/left"));
    assert!(left.all(|request| !request.complete), "{requests:?}");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer() {
    let mut scene = Scene::set().await;
    scene.answer("left", Script::new().silence());
    for reset in [false, true] {
        let theft = scene.theft();
        let cases = [
            ("nothing behind", scene.ask("GET", "left", "")),
            (
                "a request behind",
                scene.ask("GET", "left", "") + &scene.hidden(),
            ),
            (
                "a whole body",
                scene.ask("GET", "left", TE) + &chunked(&theft),
            ),
            (
                "half a request behind",
                scene.ask("GET", "left", "") + "GET /minds-api-proxy/api",
            ),
        ];
        for (name, bytes) in cases {
            leave(&mut scene, name, bytes, reset).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_answer() {
    let mut scene = Scene::set().await;
    for reset in [false, true] {
        for (name, script) in [
            (
                "a length",
                Script::early("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").silence(),
            ),
            (
                "chunks",
                Script::early("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                    .silence(),
            ),
        ] {
            scene.answer("left", script);
            let mut wire = scene.wire().await;
            wire.send(scene.ask("GET", "left", "") + &scene.hidden())
                .await;
            wire.partial("half of an answer", |answer| answer.body == b"half")
                .await;
            if reset {
                wire.reset();
            } else {
                drop(wire);
            }
            let wire = scene.wire().await;
            scene.holds(name, wire.transcript()).await;
        }
    }
}

//! The scene notices what it is there to notice: each of these goes past the gateway and reaches the upstream, as a successful
//! attack would.

use end_to_end::{KEY, Wire};

use crate::scene::Scene;

/// Has these bytes reach the upstream on a connection of their own, then asks whether all is well.
async fn slip_past(bytes: impl Fn(&Scene) -> String) {
    let mut scene = Scene::set().await;
    let address = scene.upstream.authority().parse().expect("an address");
    let mut wire = Wire::connect(address).await;
    let bytes = bytes(&scene);
    wire.send(&bytes).await;
    scene
        .upstream
        .until("the bytes arrive", |connections| {
            let mut connections = connections.iter();
            connections
                .any(|connection| connection.bytes == bytes.as_bytes())
                .then_some(())
        })
        .await;
    scene.holds("past the gateway", &[]).await;
}

#[tokio::test]
#[should_panic(expected = "not the sender's path")]
async fn a_theft_is_noticed() {
    slip_past(Scene::theft).await;
}

#[tokio::test]
#[should_panic(expected = "bytes that belong to no request")]
async fn bytes_beside_requests_are_noticed() {
    slip_past(|_| "GET /api/v1/".to_owned()).await;
}

#[tokio::test]
#[should_panic(expected = "no start of a message")]
async fn bytes_that_are_no_request_are_noticed() {
    slip_past(|scene| "0\r\n\r\n".to_owned() + &scene.theft()).await;
}

#[tokio::test]
#[should_panic(expected = "authorization")]
async fn a_second_authorization_is_noticed() {
    slip_past(|scene| {
        format!(
            "GET /api/v1/agents/{}/x HTTP/1.1\r\nhost: {}\r\nx-sender: a\r\nauthorization: Bearer {KEY}\r\nauthorization: mine\r\n\r\n",
            scene.a.id,
            scene.upstream.authority()
        )
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "the key came back")]
async fn a_key_that_comes_back_is_noticed() {
    let mut scene = Scene::set().await;
    scene.holds("a key", KEY.as_bytes()).await;
}

#[tokio::test]
#[should_panic(expected = "GET /")]
async fn a_call_elsewhere_is_noticed() {
    let mut scene = Scene::set().await;
    let address = scene.elsewhere.authority().parse().expect("an address");
    let mut wire = Wire::connect(address).await;
    wire.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    wire.answer().await;
    scene.holds("elsewhere", &[]).await;
}

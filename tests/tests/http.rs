//! The gateway as an HTTP/1.1 server: what it does with connections and with requests that are not quite right.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use end_to_end::{Gateway, ask};

#[tokio::test]
async fn an_approved_request_is_a_rule_of_the_agent() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let request = agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    let mut follow = gateway.admin().follow().await;
    assert_eq!(follow.next_id().await, request.id());
    gateway.admin().approve(request.id()).await.expect(200);
    assert_eq!(gateway.admin().pending().await.len(), 0);
    let (status, _) = gateway.terminate().await;
    assert_eq!(status.code(), Some(0));
}

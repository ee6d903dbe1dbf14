//! A gigabyte each way, which nobody keeps: it is made on one side and checked on the other while it passes.

use end_to_end::{Pattern, Tally};
use serde_json::json;

use crate::stage::Stage;

const GIB: u64 = 1024 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn curl_uploads_a_gigabyte_from_a_pipe() {
    let stage = Stage::set().await;
    let mut curl = stage
        .curl(["--upload-file", "-", &stage.url("request")])
        .start();
    let mut sent = Tally::default();
    for piece in Pattern::new(0..GIB) {
        curl.write(&piece).await;
        sent.add(&piece);
    }
    let (bytes, digest) = sent.total();
    let seen = curl.end().await.expect_success().json();
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["bytes"], bytes);
    assert_eq!(seen["sha256"], digest);
    assert_eq!(seen["headers"]["transfer-encoding"], json!(["chunked"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_downloads_a_gigabyte() {
    let stage = Stage::set().await;
    let mut curl = stage
        .curl(["--no-buffer", &stage.url(&format!("blob/{GIB}"))])
        .start();
    let expected = tokio::task::spawn_blocking(|| Tally::of(0..GIB));
    let received = curl.tally().await;
    curl.end().await.expect_success();
    assert_eq!(received.total(), expected.await.unwrap());
}

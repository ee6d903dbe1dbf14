//! curl, as people and scripts call it.

use std::fs;

use end_to_end::{Ended, KEY, Pattern, Tally};
use serde_json::{Value, json};

use crate::stage::{Stage, curl};

const MIB: usize = 1024 * 1024;

/// The lines of an answer's head as `--include` shows them, in small letters, and what comes after it.
#[track_caller]
fn head_and_body(ended: &Ended) -> (Vec<String>, &str) {
    let (head, body) = ended.text().split_once("\r\n\r\n").expect("a head");
    (head.lines().map(str::to_lowercase).collect(), body)
}

#[tokio::test]
async fn get_post_put_and_delete_reach_the_api_as_they_were_sent() {
    let stage = Stage::set().await;
    for (options, method, content) in [
        (&[][..], "GET", ""),
        (&["--data", "a=1&b=2"], "POST", "a=1&b=2"),
        (&["--request", "PUT", "--data-binary", "put"], "PUT", "put"),
        (&["--request", "PATCH", "--json", "[1]"], "PATCH", "[1]"),
        (&["--request", "DELETE"], "DELETE", ""),
        (
            &["--request", "DELETE", "--data", "which=1"],
            "DELETE",
            "which=1",
        ),
    ] {
        let url = stage.url("request/a%20b/%C3%A9?q=1&q=%2F&empty=");
        let ended = stage.curl(options).arguments([&url]).run().await;
        let seen = ended.expect_success().json();
        assert_eq!(seen["method"], method);
        let id = &stage.agent.id;
        let target = format!("/api/v1/agents/{id}/request/a%20b/%C3%A9?q=1&q=%2F&empty=");
        assert_eq!(seen["target"], target, "{seen}");
        let mut tally = Tally::default();
        tally.add(content.as_bytes());
        let (bytes, digest) = tally.total();
        assert_eq!(seen["bytes"], bytes, "{seen}");
        assert_eq!(seen["sha256"], digest, "{seen}");
        let headers = &seen["headers"];
        let host = stage.api.url().replace("http://", "");
        assert_eq!(headers["host"], json!([host]), "{seen}");
        assert_eq!(headers["authorization"], json!([format!("Bearer {KEY}")]));
        let agent = headers["user-agent"][0].as_str().unwrap_or_default();
        assert!(agent.starts_with("curl/"), "{seen}");
    }
}

#[tokio::test]
async fn head_gives_the_length_and_no_content() {
    let stage = Stage::set().await;
    let ended = stage
        .curl(["--head", &stage.url("blob/12345")])
        .run()
        .await
        .expect_success();
    let (head, body) = head_and_body(&ended);
    assert!(head[0].starts_with("http/1.1 200"), "{ended}");
    assert!(
        head.contains(&"content-length: 12345".to_owned()),
        "{ended}"
    );
    assert!(head.contains(&"etag: \"12345\"".to_owned()), "{ended}");
    assert_eq!(body, "", "{ended}");
}

#[tokio::test]
async fn many_urls_go_over_one_connection() {
    let stage = Stage::set().await;
    let url = stage.url("blob/[1-50]");
    let ended = stage
        .curl([
            "--write-out",
            "%{stderr}%{http_code} %{num_connects}\\n",
            &url,
        ])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.stdout.len(), (1..=50).sum::<usize>(), "{ended}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 50, "{ended}");
    assert_eq!(lines[0], "200 1", "{ended}");
    assert!(lines[1..].iter().all(|line| *line == "200 0"), "{ended}");
}

#[tokio::test]
async fn what_the_agent_may_not_reach_is_refused_in_the_gateway() {
    let stage = Stage::set().await;
    let other = stage.gateway.agent("b").await;
    let url = stage.url_of(&other, "request");
    let ended = stage
        .curl(["--include", "--data", "x=1", &url])
        .run()
        .await
        .expect_success();
    let (head, body) = head_and_body(&ended);
    assert!(head[0].starts_with("http/1.1 403"), "{ended}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        json!({"error": "Error: Request not permitted by the user."})
    );
    curl(&stage.gateway, &other)
        .arguments(["--fail", &url])
        .run()
        .await
        .expect_success();
}

#[tokio::test]
async fn parts_and_resumed_downloads_are_those_of_the_whole() {
    let stage = Stage::set().await;
    let url = stage.url("blob/1000000");
    let whole: Vec<u8> = Pattern::new(0..1_000_000).flatten().collect();
    for (range, part) in [
        ("100-199", &whole[100..200]),
        ("0-0", &whole[..1]),
        ("999000-", &whole[999_000..]),
        ("-500", &whole[999_500..]),
    ] {
        let options = ["--range", range, "--write-out", "%{stderr}%{http_code}"];
        let ended = stage.curl(options).arguments([&url]).run().await;
        let ended = ended.expect_success();
        assert_eq!(ended.stderr, "206", "{range}");
        assert!(ended.stdout == part, "{range}: {ended}");
    }

    let file = stage.gateway.home().path().join("half.bin");
    fs::write(&file, &whole[..300_000]).unwrap();
    let ended = stage
        .curl(["--continue-at", "-", "--output", "half.bin"])
        .arguments(["--write-out", "%{http_code} %{size_download}", &url])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.text(), "206 700000");
    assert!(fs::read(&file).unwrap() == whole);

    let beyond = ["--range", "1000000-1000001", "--include"];
    let ended = stage.curl(beyond).arguments([&url]).run().await;
    let (head, _) = head_and_body(&ended);
    assert!(head[0].starts_with("http/1.1 416"), "{ended}");
    let field = "content-range: bytes */1000000".to_owned();
    assert!(head.contains(&field), "{ended}");
}

#[tokio::test]
async fn an_upload_that_waits_to_be_asked_for_is_asked_for() {
    let stage = Stage::set().await;
    let content: Vec<u8> = Pattern::new(0..3 * MIB as u64).flatten().collect();
    fs::write(stage.gateway.home().path().join("large.bin"), &content).unwrap();
    let ended = stage
        .curl(["--verbose", "--upload-file", "large.bin"])
        .arguments(["--expect100-timeout", "30", &stage.url("request")])
        .run()
        .await
        .expect_success();
    assert!(ended.stderr.contains("> Expect: 100-continue"), "{ended}");
    assert!(ended.stderr.contains("< HTTP/1.1 100"), "{ended}");
    let seen = ended.json();
    assert_eq!(seen["bytes"], content.len());
    assert_eq!(seen["sha256"], Tally::of(0..3 * MIB as u64).1);
    assert_eq!(seen["chunked"], false, "{seen}");
    assert_eq!(seen["headers"]["content-length"], json!(["3145728"]));
}

#[tokio::test]
async fn an_upload_that_is_not_permitted_is_refused_before_it_is_sent() {
    let stage = Stage::set().await;
    let other = stage.gateway.agent("b").await;
    fs::write(
        stage.gateway.home().path().join("large.bin"),
        vec![0; 3 * MIB],
    )
    .unwrap();
    let ended = stage
        .curl(["--upload-file", "large.bin", "--expect100-timeout", "30"])
        .arguments(["--write-out", "%{stderr}%{http_code} %{size_upload}"])
        .arguments([stage.url_of(&other, "request")])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.stderr, "403 0", "{ended}");
}

/// Which curl makes of the answer: the request by HTTP/1.1.
#[tokio::test]
async fn http_2_by_prior_knowledge_is_told_to_use_http_1_1() {
    let stage = Stage::set().await;
    let ended = stage
        .curl(["--http2-prior-knowledge", "--max-time", "15"])
        .arguments(["--write-out", "%{stderr}%{http_code} %{http_version}"])
        .arguments([stage.url("request")])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.stderr, "200 1.1", "{ended}");
    assert_eq!(ended.json()["method"], "GET", "{ended}");
    stage.lives().await;
}

#[tokio::test]
async fn an_offer_of_http_2_is_answered_by_http_1() {
    let stage = Stage::set().await;
    let ended = stage
        .curl(["--http2", "--max-time", "15"])
        .arguments(["--write-out", "%{stderr}%{http_code} %{http_version}"])
        .arguments([stage.url("request")])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.stderr, "200 1.1", "{ended}");
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served() {
    let stage = Stage::set().await;
    let options = ["--http1.0", "--write-out", "%{stderr}%{http_code}"];
    let ended = stage
        .curl(options)
        .arguments([stage.url("blob/100000")])
        .run()
        .await
        .expect_success();
    assert_eq!(ended.stderr, "200", "{ended}");
    let mut tally = Tally::default();
    tally.add(&ended.stdout);
    assert_eq!(tally.total(), Tally::of(0..100_000));
}

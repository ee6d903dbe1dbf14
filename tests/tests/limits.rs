//! What an extension may use, and what becomes of one that takes more: each limit of a policy obeyed and violated.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use end_to_end::{Answer, Gateway, Home, eventually};

const ROUTES: &str = r#"routes = ["GET /slow/{way}", "GET /slow/ticks"]"#;

/// A gateway with the slow component under its usual routes and these limits.
async fn limited(limits: &str) -> Gateway {
    let home = Home::new();
    home.install("slow", &format!("{ROUTES}\n{limits}"));
    Gateway::in_home(home).start().await
}

async fn get(gateway: &Gateway, target: &str) -> Answer {
    gateway.admin().get(&format!("/slow/{target}")).await
}

/// Which instance answers.
async fn instance(gateway: &Gateway) -> String {
    let answer = get(gateway, "instance").await.expect(200);
    answer.text().to_owned()
}

/// A line of the log about the component that has all of these words.
async fn logged(gateway: &Gateway, words: &[&str]) {
    let find = |line: &str| {
        let all = line.contains("extension.slow") && words.iter().all(|word| line.contains(word));
        all.then_some(())
    };
    let what = format!("the log says {words:?} of the component");
    gateway.process().logged(&what, find).await;
}

/// Asks for a target, and shows what came until the connection was closed.
async fn raw(gateway: &Gateway, target: &str) -> String {
    let mut raw = gateway.raw().await;
    raw.send(format!(
        "GET /slow/{target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{}\r\n",
        gateway.admin().header_lines()
    ))
    .await;
    String::from_utf8(raw.until_closed().await).expect("the answer is text")
}

#[tokio::test]
async fn a_request_that_takes_too_long_costs_its_instance() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0.4").await;
    let first = instance(&gateway).await;
    let answer = get(&gateway, "for-ever").await.expect(504);
    assert!(answer.error().contains("'slow'"), "{answer}");
    let limit = "`request_timeout_seconds = 0.4`";
    logged(&gateway, &["ERROR", "did not answer", limit, "is replaced"]).await;
    eventually("another instance answers", async || {
        instance(&gateway).await != first
    })
    .await;
}

#[tokio::test]
async fn what_takes_less_than_it_may_is_left_alone() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 30").await;
    let first = instance(&gateway).await;
    get(&gateway, "wait?ms=1200").await.expect(200);
    assert_eq!(instance(&gateway).await, first);
    let log = gateway.process().stderr();
    assert!(!log.contains("is replaced"), "{log}");
}

#[tokio::test]
async fn without_a_timeout_a_request_may_take_its_time() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0").await;
    let first = instance(&gateway).await;
    get(&gateway, "wait?ms=1500").await.expect(200);
    assert_eq!(instance(&gateway).await, first);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off_and_costs_its_instance() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0.4").await;
    let answer = raw(&gateway, "open").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    assert!(answer.contains("open"), "{answer:?}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer:?}");
    logged(&gateway, &["ERROR", "did not end an answer", "is replaced"]).await;
    get(&gateway, "instance").await.expect(200);
}

#[tokio::test]
async fn a_stream_of_a_streaming_route_outlives_the_timeout() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0.2").await;
    let admin = gateway.admin();
    let mut ticks = admin.follow_at("/slow/ticks").await;
    for _ in 0..30 {
        assert_eq!(ticks.next_line().await, "tick");
    }
    let log = gateway.process().stderr();
    assert!(!log.contains("is replaced"), "{log}");
}

#[tokio::test]
async fn an_instance_that_blocks_is_replaced() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0.4").await;
    let first = instance(&gateway).await;
    get(&gateway, "block").await.expect(504);
    logged(
        &gateway,
        &["ERROR", "request_timeout_seconds", "is replaced"],
    )
    .await;
    let mut second = String::new();
    eventually("another instance answers", async || {
        let answer = get(&gateway, "instance").await;
        assert!(matches!(answer.status, 200 | 504), "{answer}");
        second = answer.text().to_owned();
        answer.status == 200
    })
    .await;
    assert_ne!(second, first);
}

#[tokio::test]
async fn a_gateway_with_a_blocked_instance_stops() {
    let gateway = limited("instances = 1\nrequest_timeout_seconds = 0").await;
    let admin = gateway.admin();
    let blocked = tokio::spawn(async move {
        let _ = admin.request("GET", "/slow/block").start().await;
    });
    logged(&gateway, &["blocking"]).await;
    blocked.abort();
    let (status, _home) = gateway.terminate().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn no_more_requests_are_in_progress_than_may_be() {
    let gateway = limited("concurrency = 2\nrequest_timeout_seconds = 0").await;
    let admin = gateway.admin();
    let mut first = admin.follow_at("/slow/ticks").await;
    assert_eq!(first.next_line().await, "tick");
    let mut second = admin.follow_at("/slow/ticks").await;
    assert_eq!(second.next_line().await, "tick");
    let refused = get(&gateway, "instance").await.expect(503);
    assert!(refused.error().contains("'slow'"), "{refused}");
    logged(&gateway, &["WARN", "in progress", "`concurrency = 2`"]).await;
    drop(second);
    eventually("the place is free again", async || {
        get(&gateway, "instance").await.status == 200
    })
    .await;
    assert_eq!(first.next_line().await, "tick");
}

#[tokio::test]
async fn a_client_that_leaves_a_quiet_answer_makes_room() {
    let gateway = limited("concurrency = 1\nrequest_timeout_seconds = 0").await;
    let admin = gateway.admin();
    let mut quiet = admin.follow_at("/slow/open").await;
    assert_eq!(quiet.next_line().await, "open");
    get(&gateway, "instance").await.expect(503);
    drop(quiet);
    eventually("the place is free again", async || {
        get(&gateway, "instance").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_no_longer_than_it_may_be() {
    let gateway = limited("max_response_bytes = 100000").await;
    let whole = get(&gateway, "whole?bytes=100000").await.expect(200);
    assert_eq!(whole.body.len(), 100_000);
    get(&gateway, "whole?bytes=100001")
        .await
        .expect_error(500, "Internal error");
    logged(&gateway, &["ERROR", "`max_response_bytes = 100000`"]).await;
    let streamed = get(&gateway, "streamed?bytes=100000").await.expect(200);
    assert_eq!(streamed.body.len(), 100_000);
}

#[tokio::test]
async fn a_streamed_answer_that_is_too_long_has_no_regular_end() {
    let gateway = limited("max_response_bytes = 5000").await;
    let answer = raw(&gateway, "streamed?bytes=50000").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    let sent = answer.matches('x').count();
    assert!(sent <= 5000, "{sent} bytes came");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer:?}");
    logged(
        &gateway,
        &["WARN", "cut off", "`max_response_bytes = 5000`"],
    )
    .await;
}

#[tokio::test]
async fn without_a_cap_an_answer_may_be_long() {
    let gateway = limited("max_response_bytes = 0\nmemory_mib = 256").await;
    const LONG: usize = 70 * 1024 * 1024;
    let target = format!("streamed?bytes={LONG}");
    let answer = get(&gateway, &target).await.expect(200);
    assert_eq!(answer.body.len(), LONG);
}

#[tokio::test]
async fn an_instance_has_no_more_memory_than_it_may() {
    let gateway = limited("memory_mib = 8").await;
    get(&gateway, "allocate?bytes=4000000").await.expect(200);
    get(&gateway, "allocate?bytes=9000000").await.expect(500);
    logged(&gateway, &["WARN", "memory", "`memory_mib = 8`"]).await;
    logged(&gateway, &["ERROR", "crashed and is replaced"]).await;
    get(&gateway, "instance").await.expect(200);
}

#[tokio::test]
async fn an_instance_runs_no_longer_than_it_may_without_a_pause() {
    let gateway = limited("watchdog_ms = 600").await;
    get(&gateway, "spin?ms=50").await.expect(200);
    get(&gateway, "spin?ms=60000").await.expect(500);
    logged(&gateway, &["ERROR", "600 ms", "`watchdog_ms = 600`"]).await;
}

#[tokio::test]
async fn a_limit_without_sense_is_refused_with_its_line() {
    for (limit, reason) in [
        ("memory_mib = 0", "`memory_mib` is 0"),
        ("watchdog_ms = 1", "`watchdog_ms` is 1"),
        ("instances = 0", "`instances` is 0"),
        (
            "request_timeout_seconds = -1.5",
            "`request_timeout_seconds` is -1.5",
        ),
        ("concurrency = 99999999", "`concurrency` is 99999999"),
    ] {
        let gateway = limited(limit).await;
        let is_named = |line: &str| {
            let words = ["extensions/slow.toml", "line 2", reason];
            words.iter().all(|word| line.contains(word)).then_some(())
        };
        gateway.process().logged(reason, is_named).await;
        get(&gateway, "instance").await.expect(404);
    }
}

//! Components that never come to an end.
//!
//! | component | does | is ended by |
//! |---|---|---|
//! | `streams-without-end` | sends as much as is taken | `max_response_bytes`; a client that leaves |
//! | `drips` | sends a byte a second | `request_timeout_seconds` |
//! | `never-answers` | keeps every request open | `request_timeout_seconds`, `concurrency` |
//! | `hoards-bodies` | reads a body for ever | `max_body_bytes`, `memory_mib`, `request_timeout_seconds` |
//! | `works-on` | works on after its answer | nothing: it shares what is left over |
//! | `spins` | never gives way, or just often enough | `watchdog_ms`, `request_timeout_seconds` |
//! | `blocks` | waits in calls that do not give way | `request_timeout_seconds`, or the watchdog |

use end_to_end::eventually;

use crate::stage::{LITTLE, Siege};

const SHORT_TIMEOUT: &str = "request_timeout_seconds = 1";

#[tokio::test]
async fn an_answer_without_end_is_cut_off_where_the_policy_says() {
    let policy = r#"
        routes = ["GET /streams-without-end/answer", "GET /streams-without-end/stream"]
        max_response_bytes = 1000000
        request_timeout_seconds = 0
    "#;
    let mut siege = Siege::by("streams-without-end", policy).await;
    let mut raw = siege.gateway.raw().await;
    raw.send(format!(
        "GET /streams-without-end/answer HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
        siege.admin.header_lines()
    ))
    .await;
    let received = raw.until_closed().await;
    assert!(received.len() < 2_000_000, "{} bytes came", received.len());
    assert!(
        !received.ends_with(b"0\r\n\r\n"),
        "it looks like a regular end"
    );
    siege.named(&["max_response_bytes"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn a_stream_without_end_fills_no_memory_and_ends_with_its_client() {
    let policy = r#"
        routes = ["GET /streams-without-end/answer", "GET /streams-without-end/stream"]
    "#;
    let mut siege = Siege::by("streams-without-end", policy).await;
    // Nobody reads what comes.
    let mut readers = Vec::new();
    for _ in 0..4 {
        let request = siege.admin.request("GET", "/streams-without-end/stream");
        readers.push(request.start().await);
    }
    siege.assert_others_unharmed().await;
    drop(readers);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn an_answer_in_drops_ends_when_its_time_is_over() {
    let policy =
        format!("routes = [\"GET /drips/answer\", \"GET /drips/stream\"]\n{SHORT_TIMEOUT}");
    let mut siege = Siege::by("drips", &policy).await;
    let mut raw = siege.gateway.raw().await;
    raw.send(format!(
        "GET /drips/answer HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
        siege.admin.header_lines()
    ))
    .await;
    // A stream may: that is what it is for.
    let mut stream = siege.admin.follow_at("/drips/stream").await;
    stream.next_line().await;
    let received = raw.until_closed().await;
    assert!(
        !received.ends_with(b"0\r\n\r\n"),
        "it looks like a regular end"
    );
    siege.named(&["request_timeout_seconds"]).await;
    stream.next_line().await;
    stream.next_line().await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_request_without_an_answer_ends_when_its_time_is_over() {
    let policy = format!(
        "routes = [\"* /never-answers/{{way}}\", \"GET /never-answers/stream\"]\n{SHORT_TIMEOUT}"
    );
    let mut siege = Siege::by("never-answers", &policy).await;
    siege.get("/never-answers/head").await.expect(504);
    siege.named(&["request_timeout_seconds"]).await;
    siege.get("/never-answers/good").await.expect(200);
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn whoever_keeps_requests_open_has_only_so_many() {
    let policy = r#"
        routes = ["* /never-answers/{way}", "GET /never-answers/stream"]
        concurrency = 8
        request_timeout_seconds = 0
    "#;
    let mut siege = Siege::by("never-answers", policy).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let request = siege.admin.request("GET", "/never-answers/body");
        let answer = request.start().await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    siege.get("/never-answers/good").await.expect(503);
    siege.named(&["concurrency"]).await;
    siege.assert_others_unharmed().await;
    drop(open);
    eventually("clients that leave make room", async || {
        siege.get("/never-answers/good").await.status == 200
    })
    .await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn a_hoarder_of_bodies_gets_no_more_than_it_may_have() {
    let policy = r#"
        routes = ["POST /hoards-bodies/{way}"]
        max_body_bytes = 0
        request_timeout_seconds = 0
        memory_mib = 16
    "#;
    let mut siege = Siege::by("hoards-bodies", policy).await;
    let body = vec![b'x'; 40_000_000];
    let request = siege.admin.request("POST", "/hoards-bodies/all");
    request.body(body).send().await.expect(500);
    siege.named(&["ERROR", "crashed"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn a_reader_of_single_bytes_ends_when_its_time_is_over() {
    let policy = format!("routes = [\"POST /hoards-bodies/{{way}}\"]\n{SHORT_TIMEOUT}");
    let mut siege = Siege::by("hoards-bodies", &policy).await;
    let request = siege.admin.request("POST", "/hoards-bodies/bytes");
    let answer = request.body(vec![b'x'; 1000]).send().await;
    answer.expect(504);
    siege.named(&["request_timeout_seconds"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn work_after_the_answer_is_at_nobody_elses_cost() {
    let mut siege = Siege::by("works-on", r#"routes = ["GET /works-on/{way}"]"#).await;
    for way in ["busily", "waiting"] {
        for _ in 0..8 {
            siege.get(&format!("/works-on/{way}")).await.expect(200);
        }
        siege.assert_others_unharmed().await;
        siege.get("/works-on/good").await.expect(200);
    }
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn spinning_ends_by_the_watchdog() {
    let policy = r#"
        routes = ["GET /spins/{way}", "GET /spins/stream"]
        watchdog_ms = 300
    "#;
    let mut siege = Siege::by("spins", policy).await;
    siege.get("/spins/now").await.expect(500);
    siege
        .named(&["300 ms without returning to its event loop"])
        .await;
    let mut raw = siege.gateway.raw().await;
    raw.send(format!(
        "GET /spins/stream HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
        siege.admin.header_lines()
    ))
    .await;
    let received = raw.until_closed().await;
    assert!(
        !received.ends_with(b"0\r\n\r\n"),
        "it looks like a regular end"
    );
    siege.get("/spins/good").await.expect(200);
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn spinning_in_turns_that_no_watchdog_minds_ends_with_the_request() {
    let policy =
        format!("routes = [\"GET /spins/{{way}}\", \"GET /spins/stream\"]\n{SHORT_TIMEOUT}");
    let mut siege = Siege::by("spins", &policy).await;
    siege.get("/spins/patiently").await.expect(504);
    siege.named(&["request_timeout_seconds"]).await;
    eventually("another instance answers", async || {
        siege.get("/spins/good").await.status == 200
    })
    .await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_blocking_call_holds_up_its_own_instance_and_no_longer_than_a_request_may_take() {
    for way in ["asleep", "waiting"] {
        let policy = format!("routes = [\"GET /blocks/{{way}}\"]\ninstances = 1\n{SHORT_TIMEOUT}");
        let mut siege = Siege::by("blocks", &policy).await;
        let blocked = siege.attack(&format!("/blocks/{way}"));
        siege.named(&["blocking"]).await;
        siege.assert_others_unharmed().await;
        let answer = blocked.await.unwrap();
        assert!(matches!(answer.status, 500 | 504), "{way}: {answer}");
        eventually("another instance answers", async || {
            siege.get("/blocks/good").await.status == 200
        })
        .await;
        siege.assert_others_unharmed().await;
    }
}

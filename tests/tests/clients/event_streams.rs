//! Event streams: each event is with the client before the next one is sent, for as long as it listens.

use end_to_end::{Program, Running};
use std::time::{Duration, Instant};

use crate::scripts::script;
use crate::stage::Stage;

/// How long the long test listens, in seconds, unless the variable says otherwise.
const LONG: u64 = 180;
const LONG_VARIABLE: &str = "EVENT_STREAM_SECONDS";

fn curl_listens(stage: &Stage) -> Program {
    stage.curl(["--no-buffer", &stage.url("events")])
}

/// The next event's data; lines of another kind are passed over.
async fn event(client: &mut Running) -> String {
    loop {
        if let Some(data) = client.line().await.strip_prefix("data: ") {
            return data.to_owned();
        }
    }
}

/// Opens a stream; once it returns, the upstream knows of the listener.
async fn listens(stage: &Stage, client: Program) -> Running {
    let mut client = client.start();
    client.close_input();
    stage.api.listened_to().await;
    client
}

/// Ten events, each of which is sent when the last one has arrived, then a regular end.
async fn hears_each_event_as_it_is_sent(stage: &Stage, client: Program) {
    let mut client = listens(stage, client).await;
    for number in 0..10 {
        stage.api.emit(&format!("number {number}")).await;
        assert_eq!(event(&mut client).await, format!("number {number}"));
    }
    stage.api.end_streams();
    client.end().await.expect_success();
}

#[tokio::test]
async fn curl_hears_each_event_as_it_is_sent() {
    let stage = Stage::set().await;
    hears_each_event_as_it_is_sent(&stage, curl_listens(&stage)).await;
}

#[tokio::test]
async fn requests_hears_each_event_as_it_is_sent() {
    let stage = Stage::set().await;
    let client = script(&stage, "python_requests.py", ["events"]).await;
    hears_each_event_as_it_is_sent(&stage, client).await;
}

#[tokio::test]
async fn fetch_hears_each_event_as_it_is_sent() {
    let stage = Stage::set().await;
    let client = script(&stage, "node_fetch.mjs", ["events"]).await;
    hears_each_event_as_it_is_sent(&stage, client).await;
}

#[tokio::test]
async fn whoever_stops_listening_is_not_listened_for() {
    let stage = Stage::set().await;
    let mut client = listens(&stage, curl_listens(&stage)).await;
    stage.api.emit("one").await;
    assert_eq!(event(&mut client).await, "one");
    drop(client);
    stage.api.deserted().await;
    stage.lives().await;
}

/// `cargo nextest run -p end-to-end --run-ignored only for_minutes`; `EVENT_STREAM_SECONDS` says for how long.
#[tokio::test]
#[ignore = "takes minutes"]
async fn curl_listens_for_minutes() {
    let seconds = std::env::var(LONG_VARIABLE).map_or(LONG, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("${LONG_VARIABLE} is a number of seconds; got {text:?}"))
    });
    let stage = Stage::set().await;
    let mut client = listens(&stage, curl_listens(&stage)).await;
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let mut slowest = Duration::ZERO;
    for number in 0..seconds {
        clock.tick().await;
        let sent = Instant::now();
        stage.api.emit(&format!("second {number}")).await;
        assert_eq!(event(&mut client).await, format!("second {number}"));
        slowest = slowest.max(sent.elapsed());
    }
    println!("{seconds} events, the slowest arrived after {slowest:?}");
    stage.api.end_streams();
    client.end().await.expect_success();
}

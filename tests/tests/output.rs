//! What an extension says, and how much of everything it may have the host keep and do: bounded, printable, and counted.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::{Gateway, Home, Upstream, ask, eventually};

const ROUTES: &str = "routes = [\"GET /noisy/{way}\"]\n";

/// A gateway with the noisy component and what else it is granted.
async fn noisy(grants: &str) -> Gateway {
    let home = Home::new();
    home.install("noisy", &format!("{ROUTES}{grants}"));
    Gateway::in_home(home).start().await
}

/// The lines that are kept of it.
fn kept(gateway: &Gateway) -> Vec<String> {
    let file = gateway.home().extensions().join("logs").join("noisy.log");
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8(text).expect("what is kept is text");
    text.lines().map(str::to_owned).collect()
}

/// What is kept, once a line has `words`.
async fn kept_with(gateway: &Gateway, words: &str) -> Vec<String> {
    eventually(&format!("it is kept that {words:?}"), async || {
        kept(gateway).iter().any(|line| line.contains(words))
    })
    .await;
    kept(gateway)
}

/// What the gateway's log says of the extension.
async fn logged(gateway: &Gateway, words: &str) -> String {
    gateway
        .process()
        .logged(&format!("the log says {words:?}"), |line| {
            (line.contains("extension.noisy") && line.contains(words)).then(|| line.to_owned())
        })
        .await
}

/// Without the time.
fn said(line: &str) -> &str {
    let (time, said) = line.split_once(' ').expect("a line begins with its time");
    assert!(time.ends_with('Z') && time.starts_with("20"), "{line}");
    said
}

#[tokio::test]
async fn what_it_says_is_kept_beside_the_gateway_s_log() {
    let gateway = noisy("").await;
    let admin = gateway.admin();
    admin.get("/noisy/say?line=hello%20there").await.expect(200);
    logged(&gateway, "hello there").await;
    let lines = kept_with(&gateway, "hello there").await;
    assert_eq!(
        lines.iter().map(|line| said(line)).collect::<Vec<_>>(),
        ["WARN hello there"]
    );
    let directory = gateway.home().extensions().join("logs");
    let mode = end_to_end::mode(&directory.join("noisy.log"));
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[tokio::test]
async fn what_it_says_is_text_and_no_command() {
    let gateway = noisy("").await;
    let line = "a%1B%5B31mred%1B%5B0m%20%1B%5D0;title%07b%0D%0Ac%E2%80%AEd";
    let target = format!("/noisy/say?line={line}");
    gateway.admin().get(&target).await.expect(200);
    let lines = kept_with(&gateway, "red").await;
    assert_eq!(said(&lines[0]), "WARN ared b  cd");
    let logged = logged(&gateway, "red").await;
    assert!(logged.ends_with("ared b  cd"), "{logged:?}");
}

#[tokio::test]
async fn a_flood_is_cut_and_counted_and_hides_no_refusal() {
    let gateway = noisy("request_timeout_seconds = 0").await;
    let admin = gateway.admin();
    let flood = admin.get("/noisy/say?line=water&times=20000").await;
    flood.expect(200);
    let count = logged(&gateway, "lines of its output").await;
    admin.get("/noisy/listen-in?times=5000").await.expect(200);
    let refused = logged(&gateway, "not granted to the extension").await;
    assert!(refused.contains("their notes"), "{refused}");
    logged(&gateway, "about what is not granted to it").await;
    let lines = kept_with(&gateway, "about what is not granted to it").await;
    let water = lines.iter().filter(|line| line.ends_with("water")).count();
    // A burst, and what came in while the flood lasted.
    assert!((200..10_000).contains(&water), "{water} lines; {count}");
    let refusals = lines
        .iter()
        .filter(|line| line.contains("documents their notes"))
        .count();
    assert!((1..4000).contains(&refusals), "{refusals} refusals");
}

#[tokio::test]
async fn a_crash_leaves_its_whole_report_there_and_one_line_here() {
    let gateway = noisy("").await;
    let admin = gateway.admin();
    admin.get("/noisy/crash?depth=500").await.expect(500);
    let line = logged(&gateway, "crashed and is replaced").await;
    assert!(!line.contains("backtrace"), "{line}");
    let lines = kept_with(&gateway, "crashed and is replaced").await;
    let frames = lines
        .iter()
        .filter(|line| line.contains("noisy.wasm!") && line.contains("crash"));
    assert!(frames.count() > 2, "{lines:?}");
    for words in ["wasm backtrace", "Caused by", "unreachable"] {
        assert!(
            lines.iter().any(|line| line.contains(words)),
            "{words}: {lines:?}"
        );
    }
    assert!(!gateway.process().stderr().contains("wasm backtrace"));
    admin.get("/noisy/say").await.expect(200);
}

#[tokio::test]
async fn a_flood_on_a_shared_topic_ends_who_makes_it_and_not_who_follows() {
    let gateway = noisy("topics = [\"permission-requests\"]").await;
    let admin = gateway.admin();
    let mut follow = admin.follow().await;
    let flood = "/noisy/publish?topic=permission-requests&times=100000";
    admin.get(flood).await.expect(500);
    let ended = logged(&gateway, "events: too many messages").await;
    assert!(ended.contains("events_per_second"), "{ended}");
    let asked = admin
        .post("/permission-requests", ask("slack-api", []))
        .await;
    let id = asked.expect(201).id();
    while !follow.next_line().await.contains(&id) {}
}

#[tokio::test]
async fn as_many_events_as_are_granted_are_published() {
    let gateway = noisy("topics = [\"noise\"]\nevents_per_second = 0").await;
    let target = "/noisy/publish?topic=noise&times=5000";
    gateway.admin().get(target).await.expect(200);
}

#[tokio::test]
async fn an_event_that_is_too_long_ends_its_publisher_with_the_numbers() {
    let gateway = noisy("topics = [\"noise\"]").await;
    let admin = gateway.admin();
    let target = format!("/noisy/publish?topic=noise&size={}", 8 * 1024 * 1024);
    admin.get(&target).await.expect(500);
    logged(
        &gateway,
        "events: payload of 8388609 bytes, at most 8388608",
    )
    .await;
    admin.get("/noisy/publish?topic=noise").await.expect(200);
}

#[tokio::test]
async fn a_document_that_no_listing_would_have_is_not_taken() {
    let gateway = noisy("collections = [\"noise\"]").await;
    let admin = gateway.admin();
    admin.get("/noisy/keep?name=a.json").await.expect(200);
    for name in [".hidden", "..", "..%2Fa", "%00", ""] {
        let target = format!("/noisy/keep?name={name}");
        admin.get(&target).await.expect(409);
    }
    let directory = gateway.home().latchkey_directory().join("noise");
    let files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["a.json.json"]);
}

#[tokio::test]
async fn only_so_many_requests_to_other_servers_are_in_progress() {
    let upstream = Upstream::start().await;
    let home = Home::new();
    let grants = "concurrency = 2\n[[upstreams]]\nsetting = \"NOISY_URL\"\n";
    home.install("noisy", &format!("{ROUTES}{grants}"));
    let gateway = Gateway::in_home(home)
        .environment("NOISY_URL", upstream.url())
        .start()
        .await;
    let admin = gateway.admin();
    let target = format!("/noisy/call?to={}&times=3", upstream.authority());
    // What was let go makes room.
    for _ in 0..2 {
        let answer = admin.get(&target).await.expect(200);
        assert_eq!(
            answer.text(),
            "200\n200\nErrorCode::ConnectionLimitReached\n"
        );
    }
    logged(&gateway, "requests to other servers in progress").await;
}

//! Components that write without measure, or what is not theirs to write.
//!
//! | component | writes | what comes of it |
//! |---|---|---|
//! | `floods-log` | a hundred thousand lines, short and long | some of them, and a count of the rest |
//! | `forges-log` | line ends, escapes, lines of others | one line, under its name |
//! | `floods-events` | a million tiny events, a gigabyte of large ones | whoever does not read is cut off |
//! | `hoards-subscriptions` | two hundred thousand subscriptions | some |
//! | `floods-documents` | documents until it is refused | a full collection |

use std::fs;

use end_to_end::Home;

use crate::stage::{LITTLE, Siege};

/// What the gateway's log may grow by, whatever a component says, in bytes.
const LOG: usize = 2 * 1024 * 1024;
/// What a collection may hold.
const MOST_DOCUMENTS: usize = 16 * 1024;
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// What an extension's own log may have on disk.
const OWN_LOG: u64 = 2 * 300 * 1024;

/// Bytes in the files that keep what the component says.
fn kept_of(siege: &Siege, name: &str) -> u64 {
    let logs = siege.gateway.home().extensions().join("logs");
    let entries = fs::read_dir(&logs).unwrap_or_else(|error| panic!("{}: {error}", logs.display()));
    let of_it = entries.flatten().filter(|entry| {
        let file = entry.file_name();
        file.to_string_lossy().starts_with(name)
    });
    of_it
        .map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
        .sum()
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_short_and_counted() {
    for way in ["short", "long"] {
        let policy = "routes = [\"GET /floods-log/{way}\"]\nrequest_timeout_seconds = 0";
        let mut siege = Siege::by("floods-log", policy).await;
        siege.get(&format!("/floods-log/{way}")).await.expect(200);
        siege.named(&["left out"]).await;
        let log = siege.gateway.process().stderr();
        assert!(log.len() < LOG, "{way}: the log has {} bytes", log.len());
        let kept = kept_of(&siege, "floods-log");
        assert!(kept > 0 && kept <= OWN_LOG, "{way}: {kept} bytes are kept");
        siege.assert_others_unharmed().await;
        siege.assert_memory_below(LITTLE);
    }
}

#[tokio::test]
async fn no_line_is_forged_and_no_terminal_steered() {
    let mut siege = Siege::by("forges-log", r#"routes = ["GET /forges-log/{way}"]"#).await;
    siege.get("/forges-log/log").await.expect(200);
    siege.get("/forges-log/failure").await.expect(500);
    siege.get("/forges-log/panic").await.expect(500);
    siege.named(&["WARN", "forged line"]).await;
    siege
        .named(&["ERROR", "failed to answer", "forged line"])
        .await;
    siege.named(&["crashed and is replaced"]).await;
    let mut logs = vec![siege.gateway.process().stderr()];
    let kept = siege.gateway.home().extensions().join("logs");
    for entry in fs::read_dir(kept).unwrap().flatten() {
        logs.push(fs::read_to_string(entry.path()).unwrap());
    }
    for log in logs {
        let steering = |c: char| {
            c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}'))
        };
        let found: Vec<_> = log.lines().filter(|line| line.contains(steering)).collect();
        assert!(found.is_empty(), "{found:?}");
        let forged: Vec<_> = log
            .lines()
            .filter(|line| {
                line.starts_with("2026-01-01T00:00:00.000Z") || line.starts_with("another")
            })
            .collect();
        assert!(forged.is_empty(), "{forged:?}");
    }
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn a_flood_of_events_drowns_only_whoever_does_not_read() {
    for way in ["tiny", "large"] {
        let policy = r#"
            routes = ["GET /floods-events/{way}", "GET /floods-events/listen"]
            topics = ["flood"]
            request_timeout_seconds = 0
        "#;
        let mut siege = Siege::by("floods-events", policy).await;
        let mut listener = siege.admin.follow_at("/floods-events/listen").await;
        assert_eq!(listener.next_line().await, "open");
        let flood = siege.attack(&format!("/floods-events/{way}"));
        siege.assert_others_unharmed().await;
        let answer = flood.await.unwrap();
        assert!(matches!(answer.status, 200 | 500), "{way}: {answer}");
        siege.named(&[]).await;
        siege.get("/floods-events/good").await.expect(200);
        siege.assert_others_unharmed().await;
        siege.assert_memory_below(4 * LITTLE);
    }
}

#[tokio::test]
async fn subscriptions_without_end_are_refused() {
    let policy = r#"
        routes = ["GET /hoards-subscriptions/{way}"]
        topics = ["hoard"]
    "#;
    let mut siege = Siege::by("hoards-subscriptions", policy).await;
    let answer = siege.get("/hoards-subscriptions/now").await;
    assert!(matches!(answer.status, 200 | 500 | 504), "{answer}");
    siege.assert_others_unharmed().await;
    siege.get("/hoards-subscriptions/good").await.expect(200);
    siege.assert_memory_below(4 * LITTLE);
}

#[tokio::test]
async fn a_collection_takes_only_so_much() {
    let policy = r#"
        routes = ["GET /floods-documents/{way}"]
        collections = ["flood"]
        request_timeout_seconds = 0
    "#;
    // Many are there already: each that is added is on the disk, which takes its time.
    for (way, there) in [("large", 0), ("tiny", MOST_DOCUMENTS - 10)] {
        let home = Home::new();
        for n in 0..there {
            home.write(&format!("latchkey/flood/before-{n}.json"), "[]", 0o600);
        }
        let mut siege = Siege::in_home(home, "floods-documents", policy).await;
        let answer = siege
            .get(&format!("/floods-documents/{way}"))
            .await
            .expect(403);
        let kept = siege.gateway.home().latchkey_directory().join("flood");
        let sizes: Vec<_> = fs::read_dir(kept)
            .unwrap()
            .flatten()
            .map(|entry| entry.metadata().unwrap().len())
            .collect();
        let total: u64 = sizes.iter().sum();
        assert!(total <= MOST_BYTES, "{total} bytes are kept: {answer}");
        assert!(
            sizes.len() <= MOST_DOCUMENTS,
            "{} are kept: {answer}",
            sizes.len()
        );
        siege.assert_others_unharmed().await;
        siege.assert_memory_below(2 * LITTLE);
    }
}

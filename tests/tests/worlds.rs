//! Components of different versions of `mngr:gateway`, served by one gateway.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use end_to_end::{Caller, Gateway, Home, Process, component};
use serde_json::Value;
use tokio::task::JoinSet;

const TIMELY: &str = r#"routes = ["GET /timely", "GET /timely/streaming"]"#;
const ECHO: &str = r#"routes = ["POST /echo", "GET /echo/count", "GET /echo/quiet"]"#;

/// What a test component built against 0.1.0 names in its imports and exports.
const INTERFACES: [&str; 4] = ["handler", "lifecycle", "client", "log"];

/// A gateway with one component of either version, the newer one under this policy.
async fn both_worlds(policy: &str) -> Gateway {
    let home = Home::new();
    home.install("echo", ECHO);
    home.install("timely", policy);
    Gateway::in_home(home).start().await
}

/// The component, built against 0.1.0, as if these of its interfaces were of `version`.
fn reversioned(name: &str, interfaces: &[&str], version: &str) -> Vec<u8> {
    let mut bytes = component(name);
    for interface in interfaces {
        let ours = format!("mngr:gateway/{interface}@0.1.0");
        let theirs = format!("mngr:gateway/{interface}@{version}");
        // The sections' sizes stay true.
        assert_eq!(ours.len(), theirs.len());
        let mut start = 0;
        while let Some(found) = bytes[start..]
            .windows(ours.len())
            .position(|window| window == ours.as_bytes())
        {
            start += found;
            bytes[start..start + ours.len()].copy_from_slice(theirs.as_bytes());
        }
    }
    bytes
}

/// A line of the log that has all of these words.
async fn logged(process: &Process, words: &[&str]) -> String {
    process
        .logged(&format!("the log says {words:?}"), |line| {
            let all = words.iter().all(|word| line.contains(word));
            all.then(|| line.to_owned())
        })
        .await
}

/// How long the gateway still waits: when asked, a moment later, and for an id that is none; and how long that moment was.
struct TimeLeft {
    first: Option<Duration>,
    second: Option<Duration>,
    elsewhere: Option<Duration>,
    moment: Duration,
}

async fn time_left(admin: &Caller, target: &str) -> TimeLeft {
    let answer = admin.get(target).await.expect(200).json();
    let duration = |name: &str| match &answer[name] {
        Value::Null => None,
        left => Some(Duration::from_nanos(left.as_u64().unwrap())),
    };
    TimeLeft {
        first: duration("first"),
        second: duration("second"),
        elsewhere: duration("elsewhere"),
        moment: duration("moment").unwrap(),
    }
}

#[tokio::test]
async fn components_of_both_versions_are_served_side_by_side() {
    let gateway = both_worlds(TIMELY).await;
    let admin = gateway.admin();
    let mut quiet = admin.follow_at("/echo/quiet").await;
    assert_eq!(quiet.next_line().await, "open");
    let mut at_once = JoinSet::new();
    for n in 0..32_u32 {
        let admin = gateway.admin();
        at_once.spawn(async move {
            admin.get("/timely").await.expect(200);
            let body = n.to_le_bytes().repeat(1000);
            let echo = admin.request("POST", "/echo").body(body.clone()).send();
            assert!(
                echo.await.expect(200).body == body,
                "another body came back"
            );
        });
    }
    at_once.join_all().await;
    admin.get("/permissions/available").await.expect(200);
    admin.get("/permission-requests").await.expect(200);
}

#[tokio::test]
async fn a_newer_component_has_the_capabilities_of_the_older_version() {
    let gateway = both_worlds(TIMELY).await;
    logged(gateway.process(), &["timely", "ready when you are"]).await;
}

#[tokio::test]
async fn the_time_left_of_a_limited_request_counts_down() {
    let gateway = both_worlds(&format!("{TIMELY}\nrequest_timeout_seconds = 60")).await;
    let left = time_left(&gateway.admin(), "/timely").await;
    let (first, second) = (left.first.unwrap(), left.second.unwrap());
    assert!(first <= Duration::from_secs(60), "{first:?}");
    assert!(!second.is_zero(), "{second:?}");
    assert!(second + left.moment <= first, "{first:?}, then {second:?}");
    assert_eq!(left.elsewhere, None);
}

#[tokio::test]
async fn a_request_without_a_limit_has_no_time_left_to_speak_of() {
    let gateway = both_worlds(&format!("{TIMELY}\nrequest_timeout_seconds = 0")).await;
    let left = time_left(&gateway.admin(), "/timely").await;
    assert_eq!((left.first, left.second), (None, None));
}

#[tokio::test]
async fn a_streaming_route_has_no_time_left_to_speak_of() {
    let gateway = both_worlds(&format!("{TIMELY}\nrequest_timeout_seconds = 60")).await;
    let left = time_left(&gateway.admin(), "/timely/streaming").await;
    assert_eq!((left.first, left.second), (None, None));
}

/// The component is left out for a reason that has these words, and the others serve.
async fn assert_left_out(bytes: &[u8], reason: &[&str]) {
    let home = Home::new();
    home.install_bytes("hostile", bytes, r#"routes = ["GET /hostile/good"]"#);
    home.install("echo", ECHO);
    home.install("timely", TIMELY);
    let gateway = Gateway::in_home(home).start().await;
    let mut words = vec!["ERROR", "hostile"];
    words.extend(reason);
    logged(gateway.process(), &words).await;
    let admin = gateway.admin();
    admin.get("/hostile/good").await.expect(404);
    admin.get("/echo/count").await.expect(200);
    admin.get("/timely").await.expect(200);
}

#[tokio::test]
async fn a_component_for_an_unknown_version_is_left_out_with_all_hosted_ones_named() {
    let hosted = ["mngr:gateway@0.1.0", "mngr:gateway@0.2.0"];
    let unknown = reversioned("hostile", &INTERFACES, "0.9.0");
    assert_left_out(&unknown, &["mngr:gateway@0.9.0", hosted[0], hosted[1]]).await;
}

#[tokio::test]
async fn a_component_that_exports_two_versions_is_left_out() {
    let mixed = reversioned("hostile", &["lifecycle"], "0.2.0");
    assert_left_out(&mixed, &["mix versions", "0.1.0", "0.2.0"]).await;
}

#[tokio::test]
async fn a_component_that_exports_a_hosted_and_an_unknown_version_is_left_out() {
    let mixed = reversioned("hostile", &["lifecycle"], "0.9.0");
    assert_left_out(&mixed, &["mix versions", "0.1.0", "0.9.0"]).await;
}

//! Components that change while the gateway runs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use end_to_end::{Caller, Gateway, Home, ask, component, eventually};

const POLICY: &str = r#"routes = ["GET /revision", "POST /revision", "GET /revision/quiet"]"#;
const SWAPS: usize = 100;

/// The component with other words in the text that it tells about itself.
fn changed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "the bytes keep their places");
    let mut bytes = component("revision");
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("the component tells about itself");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

fn revision(number: usize) -> Vec<u8> {
    changed("revision=00000001", &format!("revision={number:08}"))
}

fn with_path(path: &str) -> Vec<u8> {
    const USUAL: &str = "path=revision             ";
    let path = format!("path={path}");
    changed(USUAL, &format!("{path:<width$}", width = USUAL.len()))
}

/// Puts a component there as a careful installer does: under another name first.
fn put(home: &Home, name: &str, bytes: &[u8]) {
    let path = home.extensions().join(format!("{name}.wasm"));
    let beside = home.extensions().join(format!(".{name}.new"));
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

fn file(home: &Home, name: &str) -> PathBuf {
    home.extensions().join(name)
}

async fn with_first_revision() -> Gateway {
    let home = Home::new();
    home.install("revision", POLICY);
    Gateway::in_home(home).start().await
}

async fn serves(admin: &Caller, number: usize) -> bool {
    let answer = admin.get("/revision").await;
    answer.status == 200 && answer.text() == format!("{number:08}\n")
}

async fn becomes(admin: &Caller, number: usize) {
    let what = format!("revision {number} serves");
    eventually(&what, async || serves(admin, number).await).await;
}

async fn becomes_status(admin: &Caller, target: &str, status: u16) {
    let what = format!("{target} answers {status}");
    eventually(&what, async || admin.get(target).await.status == status).await;
}

async fn logged(gateway: &Gateway, words: &[&str]) {
    gateway
        .process()
        .logged(&format!("the log says {words:?}"), |line| {
            words.iter().all(|word| line.contains(word)).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_component_that_is_put_there_is_served_and_one_that_is_taken_away_is_not() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    admin.get("/revision").await.expect(404);
    gateway.home().install("revision", POLICY);
    becomes(&admin, 1).await;
    fs::remove_file(file(gateway.home(), "revision.wasm")).unwrap();
    becomes_status(&admin, "/revision", 404).await;
    logged(&gateway, &["INFO", "revision", "removed"]).await;
    put(gateway.home(), "revision", &revision(2));
    becomes(&admin, 2).await;
}

#[tokio::test]
async fn another_revision_takes_over_and_the_old_one_answers_what_it_has_begun() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    becomes(&admin, 1).await;
    let mut begun = gateway.raw().await;
    begun
        .send(format!(
            "POST /revision HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\nExpect: 100-continue\r\n{}\r\n",
            admin.header_lines()
        ))
        .await;
    // It asks for the body once it reads it: then the request has begun.
    begun.answer_head().await.expect(100);
    begun.send("he").await;
    put(gateway.home(), "revision", &revision(2));
    becomes(&admin, 2).await;
    begun.send("llo").await;
    let answer = begun.answer().await.expect(200);
    assert_eq!(String::from_utf8_lossy(&answer.body), "00000001\n");
    logged(&gateway, &["INFO", "revision", "replaced"]).await;
}

/// What cannot be served leaves the old revision serving, with one line in the log that has `words`; what can be, takes over.
async fn assert_refused(bytes: &[u8], words: &[&str]) {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    put(gateway.home(), "revision", bytes);
    let mut expected = vec!["ERROR", "revision.wasm", "what served goes on"];
    expected.extend(words);
    logged(&gateway, &expected).await;
    assert!(serves(&admin, 1).await);
    let log = gateway.process().stderr();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    put(gateway.home(), "revision", &revision(2));
    becomes(&admin, 2).await;
}

#[tokio::test]
async fn a_file_that_is_no_component_leaves_the_old_one_serving() {
    assert_refused(b"not WebAssembly at all", &["no WebAssembly component"]).await;
}

#[tokio::test]
async fn half_a_component_leaves_the_old_one_serving() {
    let whole = revision(2);
    assert_refused(&whole[..whole.len() / 2], &["no WebAssembly component"]).await;
}

#[tokio::test]
async fn a_component_of_an_unknown_world_leaves_the_old_one_serving() {
    let bytes = revision(2);
    let mut other = Vec::with_capacity(bytes.len());
    let (ours, theirs) = (b"@0.1.0", b"@0.9.0");
    let mut rest = &bytes[..];
    while let Some(at) = rest.windows(ours.len()).position(|window| window == ours) {
        let is_package = rest[..at].ends_with(b"/handler") || rest[..at].ends_with(b"/lifecycle");
        other.extend_from_slice(&rest[..at]);
        other.extend_from_slice(if is_package { theirs } else { ours });
        rest = &rest[at + ours.len()..];
    }
    other.extend_from_slice(rest);
    assert_refused(&other, &["0.9.0", "0.1.0"]).await;
}

#[tokio::test]
async fn a_component_whose_start_fails_leaves_the_old_one_serving() {
    assert_refused(
        &changed("start=works", "start=fails"),
        &["do not start", "the start fails"],
    )
    .await;
}

#[tokio::test]
async fn a_component_that_wants_the_route_of_another_leaves_the_old_one_serving() {
    let home = Home::new();
    home.install("echo", r#"routes = ["GET /echo/count"]"#);
    home.install("revision", &POLICY.replace(']', r#", "GET /echo/count"]"#));
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    put(gateway.home(), "revision", &with_path("echo/count"));
    let words = ["ERROR", "revision.wasm", "'echo'", "what served goes on"];
    logged(&gateway, &words).await;
    assert!(serves(&admin, 1).await);
    let counted = admin.get("/echo/count").await.expect(200);
    assert_eq!(counted.text(), "1\n");
    fs::remove_file(file(gateway.home(), "echo.wasm")).unwrap();
    eventually("the route is free for it", async || {
        admin.get("/echo/count").await.text() == "00000001\n"
    })
    .await;
}

#[tokio::test]
async fn a_copy_in_the_making_is_taken_when_it_is_whole() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    let bytes = revision(2);
    let path = file(gateway.home(), "revision.wasm");
    let mut written = Vec::new();
    for piece in bytes.chunks(bytes.len() / 3 + 1) {
        written.extend_from_slice(piece);
        fs::write(&path, &written).unwrap();
        assert!(serves(&admin, 1).await || written.len() == bytes.len());
    }
    becomes(&admin, 2).await;
}

#[tokio::test]
async fn the_same_bytes_again_are_no_change() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    put(gateway.home(), "revision", &revision(1));
    put(gateway.home(), "revision", &revision(1));
    // What comes after is seen after.
    gateway
        .home()
        .install("echo", r#"routes = ["GET /echo/count"]"#);
    becomes_status(&admin, "/echo/count", 200).await;
    let log = gateway.process().stderr();
    assert!(!log.contains("is replaced"), "{log}");
    assert!(serves(&admin, 1).await);
}

#[tokio::test]
async fn a_change_of_the_policy_counts_at_once() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    let policy = file(gateway.home(), "revision.toml");
    fs::write(&policy, "routes = [\"GET /revision\"]").unwrap();
    eventually("the route is not served any more", async || {
        let answer = admin.request("POST", "/revision").body("x").send().await;
        answer.status == 404
    })
    .await;
    assert!(serves(&admin, 1).await);
    fs::write(&policy, "rutes = []").unwrap();
    logged(&gateway, &["ERROR", "revision.toml", "rutes", "goes on"]).await;
    fs::remove_file(&policy).unwrap();
    logged(&gateway, &["ERROR", "no policy grants", "goes on"]).await;
    assert!(serves(&admin, 1).await, "what served goes on");
    fs::write(&policy, "routes = []").unwrap();
    becomes_status(&admin, "/revision", 404).await;
}

#[tokio::test]
async fn a_stream_of_another_extension_survives_and_one_of_its_own_ends_cleanly() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    let mut others = admin.follow().await;
    let mut own = admin.follow_at("/revision/quiet").await;
    assert_eq!(own.next_line().await, "00000001");
    put(gateway.home(), "revision", &revision(2));
    becomes(&admin, 2).await;
    assert_eq!(own.rest().await, Vec::<String>::new());
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = admin.post("/permission-requests", asked).await.expect(201);
    assert_eq!(others.next_id().await, request.id());
    let mut own = admin.follow_at("/revision/quiet").await;
    assert_eq!(own.next_line().await, "00000002");
}

#[tokio::test]
async fn a_marker_switches_an_extension_off_and_its_removal_on_again() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    for (name, target) in [
        ("revision", "/revision"),
        ("permissions", "/permissions/available"),
    ] {
        admin.get(target).await.expect(200);
        let marker = file(gateway.home(), &format!("{name}.disabled"));
        fs::write(&marker, "").unwrap();
        becomes_status(&admin, target, 404).await;
        logged(&gateway, &["INFO", name, "disabled"]).await;
        fs::remove_file(&marker).unwrap();
        becomes_status(&admin, target, 200).await;
    }
    admin.get("/permission-requests").await.expect(200);
}

#[tokio::test]
async fn an_extension_that_is_switched_off_stays_so_when_the_gateway_starts() {
    let home = Home::new();
    home.install("revision", POLICY);
    home.write("latchkey/extensions/revision.disabled", "", 0o600);
    home.write("latchkey/extensions/permissions.disabled", "", 0o600);
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    admin.get("/revision").await.expect(404);
    admin.get("/permissions/available").await.expect(404);
    admin.get("/permission-requests").await.expect(200);
}

#[tokio::test]
async fn a_bundled_extension_gets_its_routes_back_from_who_had_them_meanwhile() {
    const AVAILABLE: &str = "/permissions/available";
    let home = Home::new();
    home.install_bytes(
        "revision",
        &with_path("permissions/available"),
        r#"routes = ["GET /permissions/available"]"#,
    );
    let marker = home.write("latchkey/extensions/permissions.disabled", "", 0o600);
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    let is_the_other = async || admin.get(AVAILABLE).await.text() == "00000001\n";
    assert!(is_the_other().await);
    fs::remove_file(&marker).unwrap();
    eventually("the bundled one answers", async || {
        let answer = admin.get(AVAILABLE).await;
        answer.status == 200 && answer.text().starts_with('{')
    })
    .await;
    logged(&gateway, &["ERROR", "revision.wasm", "'permissions'"]).await;
    fs::write(&marker, "").unwrap();
    eventually("the other one is back", is_the_other).await;
}

#[tokio::test]
async fn several_changes_at_once_are_one_change() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    let home = gateway.home();
    home.install("echo", r#"routes = ["GET /echo/count"]"#);
    home.install("grasping", r#"routes = ["GET /grasping/{capability}"]"#);
    put(home, "revision", &revision(2));
    becomes(&admin, 2).await;
    becomes_status(&admin, "/echo/count", 200).await;
    becomes_status(&admin, "/grasping/setting", 403).await;
}

#[tokio::test]
async fn a_hundred_swaps_under_load_fail_no_request_and_end_no_stream_of_another() {
    let gateway = with_first_revision().await;
    let admin = gateway.admin();
    becomes(&admin, 1).await;
    let mut others = admin.follow().await;
    let (ended, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (caller, ended, answered) =
                (gateway.admin(), Arc::clone(&ended), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    let answer = caller.get("/revision").await;
                    let is_of_either = ["00000001\n", "00000002\n"].contains(&answer.text());
                    if answer.status != 200 || !is_of_either {
                        failed.push(answer.to_string());
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();
    let revisions = [revision(2), revision(1)];
    for (swap, number) in (1..=SWAPS).zip([2, 1].into_iter().cycle()) {
        put(gateway.home(), "revision", &revisions[2 - number]);
        let what = format!("swap {swap}: revision {number} serves");
        eventually(&what, async || serves(&admin, number).await).await;
    }
    ended.store(true, Ordering::Relaxed);
    for client in load {
        let failed = client.await.unwrap();
        assert!(failed.is_empty(), "{failed:#?}");
    }
    assert!(answered.load(Ordering::Relaxed) > SWAPS);
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = admin.post("/permission-requests", asked).await.expect(201);
    assert_eq!(others.next_id().await, request.id());
}

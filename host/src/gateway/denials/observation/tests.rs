use std::fs;
use std::time::Duration;

use jiff::SignedDuration;
use tempfile::TempDir;
use url::Url;

use super::*;

const START: &str = "2026-11-21T12:00:00Z";

fn host() -> HostId {
    HostId::parse(&format!("host-{}", "1".repeat(32))).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn observations() -> (TempDir, Observations) {
    let root = tempfile::tempdir().unwrap();
    let directory = LatchkeyDirectory::new(root.path()).unwrap();
    let file = directory.host_permissions(&host());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "{}").unwrap();
    (root, Observations::new(directory))
}

fn begin(observations: &Observations, minutes: i64) {
    let duration = SignedDuration::from_mins(minutes);
    observe::begin(
        &observations.directory,
        &host(),
        duration,
        "me",
        time(START),
    )
    .unwrap();
}

#[test]
fn an_observation_ends_by_whichever_clock_is_first() {
    let (_root, observations) = observations();
    let began = Instant::now();
    let minutes = |minutes: u64| began + Duration::from_secs(60 * minutes);
    let is = |now: &str, instant| observations.is_observed(&host(), time(now), instant);
    assert!(!is(START, began), "nobody said so yet");
    begin(&observations, 30);
    assert!(is(START, began));
    assert!(is("2026-11-21T12:29:59Z", minutes(29)));
    assert!(
        !is("2026-11-21T12:10:00Z", minutes(30)),
        "the clock was set back"
    );
    assert!(!is("2026-11-21T12:30:00Z", minutes(30)));
    assert!(!is("2026-11-21T11:00:00Z", minutes(31)), "far back");
}

#[test]
fn a_clock_that_was_before_the_beginning_does_not_begin_it_anew() {
    let (_root, observations) = observations();
    let began = Instant::now();
    let minutes = |minutes: u64| began + Duration::from_secs(60 * minutes);
    let is = |now: &str, instant| observations.is_observed(&host(), time(now), instant);
    begin(&observations, 30);
    assert!(is(START, began));
    assert!(!is("2026-11-21T11:50:00Z", minutes(20)), "set far back");
    assert!(is("2026-11-21T12:00:00Z", minutes(29)), "it came back");
    assert!(!is("2026-11-21T12:01:00Z", minutes(30)));
    let other = Observations::new(observations.directory.clone());
    let is = |now: &str, instant| other.is_observed(&host(), time(now), instant);
    assert!(!is("2026-11-21T11:00:00Z", began));
    assert!(is("2026-11-21T12:10:00Z", minutes(29)));
    assert!(!is("2026-11-21T12:10:00Z", minutes(30)), "its whole length");
}

#[test]
fn the_files_of_the_latchkey_directory_are_never_observed() {
    let (root, observations) = observations();
    let root = root.path().to_str().unwrap();
    let files = "/minds-api-proxy/api/v1/files";
    let reaches = |path: &str, headers: &[(&str, &str)]| {
        let url = format!("https://latchkey-self.invalid:1{path}");
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let url = Url::parse(&url).unwrap();
        observations.may_reach_own_files(&Request::new("PUT", &url, headers, None, None))
    };
    for path in [
        format!("{files}{root}"),
        format!("{files}{root}/extensions/x.wasm"),
        format!("{files}/{}/x", root.replace('/', "//.;a/").to_uppercase()),
        format!("{files}{}/x", root.replace('/', "%252f")),
        format!("{files}/elsewhere/encryption%5Fkey"),
        format!("{files}/link/mngr_latchkey/hosts/x"),
    ] {
        assert!(reaches(&path, &[]), "{path}");
    }
    let home = format!("{files}/home/me/notes");
    assert!(reaches(&home, &[("Destination", "/api/v1/files/x")]));
    assert!(!reaches(&home, &[("Depth", "1")]));
}

#[test]
fn a_new_word_counts_at_once() {
    let (_root, observations) = observations();
    let now = Instant::now();
    let is = |now_is: &str| observations.is_observed(&host(), time(now_is), now);
    begin(&observations, 1);
    assert!(is(START));
    assert!(!is("2026-11-21T12:05:00Z"));
    begin(&observations, 30);
    assert!(is("2026-11-21T12:05:00Z"));
    observe::end(&observations.directory, &host()).unwrap();
    assert!(!is("2026-11-21T12:05:00Z"));
    fs::write(observations.directory.host_observation(&host()), "{").unwrap();
    assert!(!is("2026-11-21T12:05:00Z"));
    begin(&observations, 30);
    assert!(is("2026-11-21T12:05:00Z"));
}

#[test]
fn permissions_and_other_agents_are_never_observed() {
    for path in [
        "/permissions/rules",
        "/permissions",
        "/permission-requests/approve/x",
        "//permission-requests",
        "/%70ermissions/self",
        "/minds-api-proxy/api/v1/agents",
        "/minds-api-proxy/api/v1/agents/agent-1/x",
        "/minds-api-proxy//api/./v1/Agents/agent-1/x",
        "/minds-api-proxy/api/v2/%61gents/agent-1/x",
        "/minds-api-proxy/api/v1%2f%2561gents%5cagent-1/x",
        "/minds-api-proxy/api/v1/agents;x=y/agent-1/x",
        "/minds-api-proxy/api/v1/agents%20/agent-1/x",
        "/minds-api-proxy/api/v1/agents./agent-1/x",
        "/minds-api-proxy/api/v1/age%09nts/agent-1/x",
        "/minds-api-proxy/api/v1/agent%C5%BF/agent-1/x",
        "/minds-api-proxy/api/v1/files/%252e%252e/x",
    ] {
        assert!(is_always_enforced(path), "{path}");
    }
    for path in [
        "/",
        "/minds-api-proxy",
        "/minds-api-proxy/api/v1/files/home/me/x",
        "/minds-api-proxy/api/v1/agentsx/y",
        "/minds-api-proxy/permissions",
        "/hello/agents",
    ] {
        assert!(!is_always_enforced(path), "{path}");
    }
}

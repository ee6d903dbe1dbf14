//! The gateway child: replaced whatever becomes of it, on a port that never changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use end_to_end::{
    Home, Supervisor, UPSTREAM_URL, Upstream, eventually, eventually_within, is_running,
};
use rustix::process::Signal;

use crate::load::{Fate, Load};

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_is_back_and_no_connection_was_refused() {
    const CLIENTS: usize = 16;
    const KILLS: usize = 3;
    let supervisor = Supervisor::start().await;
    let agent = supervisor.agent("a");
    let mut load = Load::begin(CLIENTS, supervisor.address(), &agent);
    for _ in 0..KILLS {
        load.serves(200).await;
        let gateway = supervisor.gateway().expect("a gateway child");
        gateway.signal(Signal::KILL);
        eventually("another gateway runs", async || {
            supervisor
                .gateway()
                .is_some_and(|next| next.id != gateway.id)
        })
        .await;
    }
    load.serves(200).await;
    let fates = load.end().await;
    eprintln!("{fates:?}");
    let count = |fate| fates.get(&fate).copied().unwrap_or_default();
    assert_eq!(count(Fate::Refused), 0, "{fates:?}");
    let broken = count(Fate::Broken);
    assert!(
        broken <= KILLS * CLIENTS,
        "more than was in flight: {fates:?}"
    );
    let others = fates
        .keys()
        .all(|fate| matches!(fate, Fate::Broken | Fate::Answered(200)));
    assert!(others, "{fates:?}");
    assert_eq!(
        supervisor.record()["gateway_port"],
        supervisor.address().port()
    );
}

#[tokio::test]
async fn while_it_stays_away_requests_are_answered_503_and_then_served_again() {
    let supervisor = Supervisor::start().await;
    let agent = supervisor.agent("a");
    let key = supervisor
        .home()
        .latchkey_directory()
        .join("encryption_key");
    // A gateway refuses a key that others may read, so no child gets ready.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    supervisor
        .gateway()
        .expect("a gateway child")
        .signal(Signal::KILL);
    eventually("requests are answered 503", async || {
        agent.get("/permissions/self").await.status == 503
    })
    .await;
    let answer = agent.get("/permissions/self").await.expect(503);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.error().is_empty());
    let status = supervisor.status().to_string();
    assert!(
        !status.contains(&key.display().to_string()) || status.contains("gateway"),
        "{status}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    eventually("requests are served again", async || {
        agent.get("/permissions/self").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn stuck_it_is_found_out_and_replaced_and_in_good_health_it_is_left_alone() {
    let (supervisor, neighbour) = (Supervisor::start().await, Supervisor::start().await);
    let agent = supervisor.agent("a");
    let healthy = neighbour.gateway().expect("a gateway child").id;
    let stuck = supervisor.gateway().expect("a gateway child");
    stuck.signal(Signal::STOP);
    eventually_within(
        Duration::from_secs(120),
        "another gateway runs",
        async || supervisor.gateway().is_some_and(|next| next.id != stuck.id),
    )
    .await;
    assert!(!is_running(stuck.id));
    agent.get("/permissions/self").await.expect(200);
    // As many checks have found the other one well.
    let log = neighbour.process().stderr();
    let now = neighbour.gateway().expect("a gateway child").id;
    assert_eq!(now, healthy, "{log}");
    assert!(!log.contains("health"), "{log}");
}

#[tokio::test]
async fn it_holds_nothing_of_the_supervisor_but_its_socket() {
    let supervisor = Supervisor::start().await;
    let gateway = supervisor.gateway().expect("a gateway child");
    let targets = |id: u32| -> Vec<(String, String)> {
        let entries = fs::read_dir(format!("/proc/{id}/fd")).unwrap().flatten();
        let link = |path: &Path| Some(fs::read_link(path).ok()?.display().to_string());
        entries
            .filter_map(|entry| {
                Some((
                    entry.file_name().display().to_string(),
                    link(&entry.path())?,
                ))
            })
            .filter(|(_, target)| {
                ["socket:", "pipe:", "/"]
                    .iter()
                    .any(|kind| target.starts_with(kind))
            })
            .filter(|(_, target)| !target.starts_with("/dev/"))
            .collect()
    };
    // What the test runner let everybody inherit is nothing of the supervisor's either.
    let inherited = targets(std::process::id());
    let (own, parent) = (targets(gateway.id), targets(supervisor.process().id()));
    let listener = own
        .iter()
        .find(|(number, _)| number == "0")
        .expect("a standard input")
        .1
        .clone();
    assert!(listener.starts_with("socket:"), "{own:?}");
    let shared: Vec<_> = own
        .iter()
        .filter(|(number, target)| {
            *target != listener
                && !["1", "2"].contains(&number.as_str())
                && parent.iter().any(|(_, held)| held == target)
                && !inherited.iter().any(|(_, held)| held == target)
        })
        .collect();
    assert!(shared.is_empty(), "{shared:?}");
}

#[tokio::test]
async fn it_gets_the_environment_that_embedders_set() {
    let upstream = Upstream::start().await;
    let options = Supervisor::in_home(Home::new()).environment(UPSTREAM_URL, upstream.url());
    let supervisor = options.start().await;
    let agent = supervisor.agent("a");
    let path = format!("/minds-api-proxy/api/v1/agents/{}/", agent.id);
    agent.get(&path).await.expect(200);
    // The next child no less than the first.
    let first = supervisor.gateway().expect("a gateway child");
    first.signal(Signal::KILL);
    eventually("the next one serves", async || {
        supervisor.gateway().is_some_and(|next| next.id != first.id)
    })
    .await;
    agent.get(&path).await.expect(200);
}

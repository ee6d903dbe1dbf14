//! What a supervisor that was killed has left on the hosts.

use std::process::Stdio;

use end_to_end::{Supervisor, eventually, is_running};

use crate::host::{AGENT_SIDE, Host, fails_with, reaches, reaches_within, status, supervisor};

const RECOVERY: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test]
async fn after_a_kill_the_next_supervisor_serves_the_same_agents() {
    let Some(host) = Host::new().await else {
        return;
    };
    let first = supervisor().await;
    let resident = host.connected(&first, "a").await;
    let orphans = first.children();
    let home = first.kill().await;
    // What mngr knows it says again; nothing else is told to the next one.
    let next = Supervisor::in_home(home).start().await;
    host.announce(&next, &resident);
    reaches_within(RECOVERY, &next, &resident).await;
    eventually("nothing is left of the one that was killed", async || {
        !orphans.iter().any(|orphan| is_running(orphan.id))
    })
    .await;
    eventually("the host has one session", async || {
        host.sshd.sessions() == 1
    })
    .await;
    assert_eq!(host.namespace.loopback_listeners(), [AGENT_SIDE]);
}

#[tokio::test]
async fn a_session_that_was_never_told_of_the_kill_loses_the_port_to_the_next_supervisor() {
    let Some(host) = Host::new().await else {
        return;
    };
    let first = supervisor().await;
    let resident = host.connected(&first, "a").await;
    // What the host has yet to say would be answered with a reset later on, and end the session.
    eventually("nothing is on its way", async || {
        status(&first, &resident)["verified"] == true && host.namespace.is_quiet()
    })
    .await;
    // Killed while the network was away: nothing reaches the host, now or later.
    host.namespace.black_hole();
    let home = first.kill().await;
    if let Err(reason) = host.namespace.forget_connections() {
        eprintln!("SKIPPED: connections cannot be made to be forgotten here: {reason}");
        host.namespace.let_through();
        return;
    }
    host.namespace.let_through();
    assert!(host.listens(), "the session of before still has the port");
    let next = Supervisor::in_home(home).start().await;
    host.announce(&next, &resident);
    reaches_within(RECOVERY, &next, &resident).await;
}

#[tokio::test]
async fn whoever_else_has_the_port_is_left_alone_and_waited_for() {
    let Some(host) = Host::new().await else {
        return;
    };
    let server = "import http.server; http.server.HTTPServer(('127.0.0.1', 1989), http.server.BaseHTTPRequestHandler).serve_forever()";
    let mut stranger = host.namespace.command("python3", ["-c", server]);
    let mut stranger = stranger
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the stranger listens", async || host.listens()).await;
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    fails_with(&supervisor, &resident, &["1989"]).await;
    assert!(stranger.try_wait().unwrap().is_none(), "it was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    reaches_within(RECOVERY, &supervisor, &resident).await;
}

#[tokio::test]
async fn a_session_of_somebody_elses_is_left_alone() {
    let Some(host) = Host::new().await else {
        return;
    };
    let first = supervisor().await;
    let resident = host.connected(&first, "a").await;
    // Another supervisor, of another directory, has agents on the same host; the port is taken.
    let second = supervisor().await;
    let guest = host.resident(second.agent("guest"));
    host.announce(&second, &guest);
    fails_with(&second, &guest, &["1989"]).await;
    assert!(
        resident.reaches_the_gateway().await,
        "it lost its tunnel to a stranger"
    );
    let (status, _) = first.terminate().await;
    assert_eq!(status.code(), Some(0));
    reaches(&second, &guest).await;
}

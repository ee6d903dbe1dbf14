//! What breaks, and comes back without anybody's help.

use std::sync::Arc;
use std::time::Duration;

use end_to_end::{Call, eventually, within_patience};
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::host::{Host, reaches, reaches_within, status, supervisor};

/// Longer than the supervisor needs to notice that a host is silent.
const OUTAGE: Duration = Duration::from_secs(60);
/// Until it has tried again.
const RECOVERY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn sshd_is_killed_and_started_again() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let agent = host.connected(&supervisor, "a").await.agent;
    host.sshd.kill();
    let resident = host.resident(agent);
    assert!(!resident.reaches_the_gateway().await);
    eventually("the status does not call it up", async || {
        status(&supervisor, &resident)["state"] != "up"
    })
    .await;
    let agent = resident.agent;
    host.sshd.start_again().await;
    reaches_within(RECOVERY, &supervisor, &host.resident(agent)).await;
}

#[tokio::test]
async fn the_sessions_alone_are_killed() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let mut agent = host.connected(&supervisor, "a").await.agent;
    for _ in 0..3 {
        host.sshd.kill_sessions();
        let resident = host.resident(agent);
        reaches_within(RECOVERY, &supervisor, &resident).await;
        agent = resident.agent;
    }
}

#[tokio::test]
async fn the_listener_alone_is_killed_and_nobody_notices() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let agent = host.connected(&supervisor, "a").await.agent;
    host.sshd.kill_listener();
    let resident = host.resident(agent);
    assert!(resident.reaches_the_gateway().await);
    eventually("the status calls it up", async || {
        status(&supervisor, &resident)["state"] == "up"
    })
    .await;
    assert!(resident.reaches_the_gateway().await);
}

/// Nothing signals that the supervisor has noticed but its status.
async fn notices(supervisor: &end_to_end::Supervisor, resident: &end_to_end::Resident<'_>) {
    end_to_end::eventually_within(OUTAGE * 2, "the outage is noticed", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        status(supervisor, resident)["state"] != "up"
    })
    .await;
}

#[tokio::test]
async fn a_cable_is_cut_and_elsewhere_packets_vanish_for_longer_than_the_keep_alive() {
    let (Some(cut), Some(silent), Some(other)) =
        (Host::new().await, Host::new().await, Host::new().await)
    else {
        return;
    };
    let supervisor = supervisor().await;
    let unplugged = cut.connected(&supervisor, "a").await;
    let unheard = silent.connected(&supervisor, "b").await;
    let neighbour = other.connected(&supervisor, "c").await;
    cut.namespace.cut();
    silent.namespace.black_hole();
    for resident in [&unplugged, &unheard] {
        notices(&supervisor, resident).await;
        assert!(
            neighbour.reaches_the_gateway().await,
            "one host's trouble is another's"
        );
    }
    cut.namespace.mend();
    silent.namespace.let_through();
    // The sessions of before may still hold the port: nobody told the hosts that they are over.
    for resident in [&unplugged, &unheard] {
        reaches_within(RECOVERY, &supervisor, resident).await;
    }
    assert_eq!(other.sshd.sessions(), 1);
}

#[tokio::test]
async fn a_short_outage_costs_no_more_than_itself() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    host.namespace.black_hole();
    assert!(!resident.reaches_the_gateway().await);
    host.namespace.let_through();
    reaches(&supervisor, &resident).await;
    assert_eq!(host.sshd.sessions(), 1);
}

#[tokio::test]
async fn the_gateway_is_killed_and_the_tunnel_stays() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    // The status is written a little later.
    eventually("the status calls it up", async || {
        status(&supervisor, &resident)["state"] == "up"
    })
    .await;
    let since = status(&supervisor, &resident)["since"].clone();
    for _ in 0..3 {
        let gateway = supervisor.gateway().expect("a gateway child");
        gateway.signal(Signal::KILL);
        // A call that meets no gateway waits for the next one.
        assert_eq!(resident.get("/permissions/self").await.status, 200);
        eventually("another gateway runs", async || {
            supervisor
                .gateway()
                .is_some_and(|next| next.id != gateway.id)
        })
        .await;
    }
    let status = status(&supervisor, &resident);
    assert_eq!(
        (&status["state"], &status["since"]),
        (&"up".into(), &since),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_the_gateway_costs_what_is_in_flight_and_refuses_no_connection() {
    const AGENTS: usize = 6;
    const KILLS: usize = 3;
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    let served = Arc::new(watch::Sender::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..AGENTS {
        let (mut calls, served) = (
            resident.keep_asking("/permissions/self"),
            Arc::clone(&served),
        );
        clients.spawn(async move {
            let mut failed = Vec::new();
            // Until the test has seen enough.
            while *served.borrow() < u32::MAX {
                let call = calls.next().await;
                if (call.status, call.exit_code) == (200, 0) {
                    served.send_modify(|count| *count = count.saturating_add(1));
                } else {
                    failed.push(call);
                }
            }
            failed
        });
    }
    let serves = async |more: u32| {
        let mut served = served.subscribe();
        let goal = *served.borrow() + more;
        let reached = served.wait_for(|count| *count >= goal);
        within_patience("agents are served", reached).await.unwrap();
    };
    for _ in 0..KILLS {
        serves(50).await;
        let gateway = supervisor.gateway().expect("a gateway child");
        gateway.signal(Signal::KILL);
        eventually("another gateway runs", async || {
            supervisor
                .gateway()
                .is_some_and(|next| next.id != gateway.id)
        })
        .await;
    }
    serves(50).await;
    eprintln!("{} calls were answered", *served.borrow());
    served.send_replace(u32::MAX);
    let failed: Vec<Call> = clients.join_all().await.into_iter().flatten().collect();
    // Every answer that there was is whole and the gateway's own; what was in flight got none.
    let cut = |call: &&Call| call.status == 0 && [52, 56].contains(&call.exit_code);
    assert_eq!(
        failed.iter().filter(cut).count(),
        failed.len(),
        "{failed:#?}"
    );
    assert!(
        failed.len() <= KILLS * AGENTS,
        "more than was in flight: {failed:#?}"
    );
    assert_eq!(host.sshd.sessions(), 1);
}

#[tokio::test]
async fn sigterm_ends_it_while_it_reconnects() {
    let (Some(mut dead), Some(silent), Some(alive)) =
        (Host::new().await, Host::new().await, Host::new().await)
    else {
        return;
    };
    let supervisor = supervisor().await;
    for (host, name) in [(&dead, "dead"), (&silent, "silent"), (&alive, "alive")] {
        host.connected(&supervisor, name).await;
    }
    dead.sshd.kill();
    // It hangs in the middle of a connection; and there is no goodbye.
    silent.namespace.black_hole();
    let resident = dead.resident(supervisor.agent("another"));
    eventually("the supervisor reconnects", async || {
        supervisor.status()["hosts"]
            .as_array()
            .is_some_and(|hosts| hosts.iter().any(|host| host["state"] != "up"))
    })
    .await;
    drop(resident);
    let (status, home) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(!end_to_end::record(&home).exists());
    eventually("the living host is told", async || !alive.listens()).await;
}

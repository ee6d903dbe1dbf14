//! Agents reach the gateway, with nothing but the environment that they were given.

use std::net::SocketAddr;

use end_to_end::{KeyKind, eventually};
use tokio::net::TcpStream;

use crate::host::{AGENT_SIDE, Host, listens_no_more, reaches, status, supervisor};

#[tokio::test]
async fn an_agent_reaches_the_gateway_with_the_environment_that_it_was_given() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    let reply = resident.get("/permissions/self").await;
    assert!(
        reply.body.contains("minds-api-proxy-per-agent"),
        "{reply:?}"
    );
    assert_eq!(resident.get("/permissions/nonsense").await.status, 403);
    eventually("the status calls it up and verified", async || {
        let status = status(&supervisor, &resident);
        status["state"] == "up" && status["verified"] == "yes" || status["verified"] == true
    })
    .await;
}

#[tokio::test]
async fn it_does_not_matter_in_which_order_mngr_tells_of_agent_and_host() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce_ssh(&supervisor, &resident.discovered());
    supervisor
        .mngr()
        .say(&resident.discovered().agent_discovered());
    reaches(&supervisor, &resident).await;
}

#[tokio::test]
async fn the_agents_of_a_host_share_one_connection() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let residents = ["a", "b", "c"].map(|name| host.resident(supervisor.agent_on("shared", name)));
    for resident in &residents {
        host.announce(&supervisor, resident);
    }
    for resident in &residents {
        reaches(&supervisor, resident).await;
    }
    assert_eq!(host.sshd.sessions(), 1, "{}", host.sshd.log());
    assert_eq!(host.namespace.loopback_listeners(), [AGENT_SIDE]);
    eventually("the status shows all of them at this host", async || {
        let status = status(&supervisor, &residents[0]);
        status["agents"].as_array().map(Vec::len) == Some(3)
    })
    .await;
}

#[tokio::test]
async fn nobody_outside_of_the_host_gets_at_the_gateway_through_it() {
    let open = |sshd: end_to_end::SshdOptions| sshd.line("GatewayPorts clientspecified");
    let Some(host) = Host::with(open, KeyKind::Ed25519).await else {
        return;
    };
    host.sshd.befriend(&host.key);
    let supervisor = supervisor().await;
    host.connected(&supervisor, "a").await;
    let address = SocketAddr::from((host.namespace.address(), AGENT_SIDE));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn hosts_that_are_dead_or_silent_delay_no_other() {
    let (Some(mut dead), Some(silent), Some(alive)) =
        (Host::new().await, Host::new().await, Host::new().await)
    else {
        return;
    };
    dead.sshd.kill();
    silent.namespace.black_hole();
    let supervisor = supervisor().await;
    for (host, name) in [(&dead, "dead"), (&silent, "silent")] {
        host.announce(&supervisor, &host.resident(supervisor.agent(name)));
    }
    alive.connected(&supervisor, "alive").await;
}

#[tokio::test]
async fn another_address_of_a_host_is_taken_up_at_once() {
    let (Some(first), Some(second)) = (Host::new().await, Host::new().await) else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = first.connected(&supervisor, "a").await;
    // The host was started again elsewhere.
    second.announce_ssh(&supervisor, &resident.discovered());
    let moved = second.resident(resident.agent);
    reaches(&supervisor, &moved).await;
    listens_no_more(&first).await;
    eventually("the connection to the old place is closed", async || {
        first.sshd.sessions() == 0
    })
    .await;
}

#[tokio::test]
async fn a_host_that_could_not_be_reached_is_tried_at_once_when_its_address_changes() {
    let (Some(mut gone), Some(here)) = (Host::new().await, Host::new().await) else {
        return;
    };
    gone.sshd.kill();
    let supervisor = supervisor().await;
    let resident = gone.resident(supervisor.agent("a"));
    gone.announce(&supervisor, &resident);
    // Several attempts, so that the next one is far away.
    eventually("attempts fail", async || {
        status(&supervisor, &resident)["attempts"]
            .as_u64()
            .is_some_and(|attempts| attempts >= 4)
    })
    .await;
    here.announce_ssh(&supervisor, &resident.discovered());
    let resident = here.resident(resident.agent);
    reaches(&supervisor, &resident).await;
}

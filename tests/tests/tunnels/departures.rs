//! Agents that are destroyed take their tunnel with them, and nobody else's.

use end_to_end::discovery;
use end_to_end::eventually;

use crate::host::{Host, listens_no_more, reaches, supervisor};

#[tokio::test]
async fn the_last_agent_of_a_host_closes_its_connection() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let [first, last] = ["a", "b"].map(|name| host.resident(supervisor.agent_on("shared", name)));
    for resident in [&first, &last] {
        host.announce(&supervisor, resident);
        reaches(&supervisor, resident).await;
    }
    supervisor.mngr().say(&first.discovered().agent_destroyed());
    eventually("the status forgets it", async || {
        !supervisor.status().to_string().contains(&first.agent.id)
    })
    .await;
    assert!(last.reaches_the_gateway().await);
    supervisor.mngr().say(&last.discovered().agent_destroyed());
    listens_no_more(&host).await;
    eventually("the connection is closed", async || {
        host.sshd.sessions() == 0
    })
    .await;
    // It may come back.
    host.announce(&supervisor, &last);
    reaches(&supervisor, &last).await;
}

#[tokio::test]
async fn a_destroyed_host_and_one_that_a_snapshot_does_not_name_are_left() {
    let (Some(one), Some(other), Some(third)) =
        (Host::new().await, Host::new().await, Host::new().await)
    else {
        return;
    };
    let supervisor = supervisor().await;
    let destroyed = one.connected(&supervisor, "a").await;
    let missing = other.connected(&supervisor, "b").await;
    let remaining = third.connected(&supervisor, "c").await;
    supervisor
        .mngr()
        .say(&destroyed.discovered().host_destroyed());
    listens_no_more(&one).await;
    assert!(missing.reaches_the_gateway().await);
    supervisor
        .mngr()
        .say(&discovery::full([&remaining.discovered()], &[]));
    listens_no_more(&other).await;
    assert!(remaining.reaches_the_gateway().await);
}

#[tokio::test]
async fn agents_of_a_provider_in_trouble_keep_their_tunnels() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    let marker = discovery::Discovered::new(
        "agent-0123456789abcdef0123456789abcdef",
        "host-0123456789abcdef0123456789abcdef",
    )
    .of("elsewhere");
    supervisor
        .mngr()
        .say(&discovery::full([&marker], &[discovery::PROVIDER]));
    supervisor
        .mngr()
        .say(&marker.ssh_info(&host.sshd.ssh_info(&host.key)));
    eventually("the snapshot is understood", async || {
        supervisor.status().to_string().contains(&marker.agent_id)
    })
    .await;
    assert!(resident.reaches_the_gateway().await);
}

#[tokio::test]
async fn a_new_observe_that_has_not_spoken_yet_takes_nothing_away() {
    let Some(host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let resident = host.connected(&supervisor, "a").await;
    supervisor.mngr().forget();
    supervisor.signal(rustix::process::Signal::HUP);
    supervisor.mngr().started(2).await;
    assert!(resident.reaches_the_gateway().await);
    assert_eq!(host.sshd.sessions(), 1);
}

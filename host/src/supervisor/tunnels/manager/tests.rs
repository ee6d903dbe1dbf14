//! The manager with hosts that are played: what they are asked for is noted, what they answer is set.

mod script;

use std::net::SocketAddr;

use script::{Conduct, Played, Script};

use super::*;
use crate::supervisor::tunnels::sessions::RememberedSessions;
use crate::supervisor::tunnels::status::{TunnelState, Verified};

const PORT: u16 = 1989;
const DEADLINE: Duration = Duration::from_secs(20);

fn host(number: usize) -> HostId {
    HostId::parse(&format!("host-{number:032x}")).unwrap()
}

fn agent(number: usize) -> AgentId {
    AgentId::parse(&format!("agent-{number:032x}")).unwrap()
}

/// Every address of a host is a port here.
fn address(port: u16) -> SshInfo {
    SshInfo {
        user: "root".to_owned(),
        host: "10.0.0.1".to_owned(),
        port,
        key_path: "/nowhere/id".into(),
        known_hosts_path: None,
    }
}

fn to(port: u16) -> Forward {
    Forward {
        remote_port: PORT,
        target: SocketAddr::from(([127, 0, 0, 1], port)),
    }
}

fn manager(script: &Arc<Script>) -> TunnelManager {
    manager_after(script, RememberedSessions::default())
}

fn manager_after(script: &Arc<Script>, sessions: RememberedSessions) -> TunnelManager {
    TunnelManager::with_connector(Handle::current(), Arc::clone(script), Arc::new(sessions))
}

/// Waits until the status is such.
async fn until(manager: &TunnelManager, what: &str, holds: impl Fn(&[HostStatus]) -> bool) {
    let mut changes = manager.changes();
    let waiting = async {
        while !holds(&manager.status()) {
            assert!(changes.changed().await);
        }
    };
    if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
        panic!("{what}: {:#?}", manager.status());
    }
}

async fn until_up(manager: &TunnelManager) {
    until(manager, "not all tunnels are up", |hosts| {
        hosts
            .iter()
            .all(|host| host.progress.verified == Verified::Yes)
    })
    .await;
}

#[tokio::test]
async fn repeated_calls_change_nothing() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    let (status, mut changes) = (manager.status(), manager.changes());
    for _ in 0..100 {
        manager.forward(agent(1), host(1), address(22), to(4000));
    }
    tokio::task::yield_now().await;
    assert_eq!(changes.changed().now_or_never(), None);
    assert_eq!(manager.status(), status);
    assert_eq!(script.links().len(), 1);
    assert_eq!(script.links()[0].requests(), [to(4000)]);
    assert_eq!(status[0].address, "root@10.0.0.1:22");
    assert_eq!(status[0].progress.state, TunnelState::Up);
}

#[tokio::test]
async fn agents_of_one_host_share_its_connection_until_the_last_one_leaves() {
    let script = Script::new();
    let manager = manager(&script);
    for number in [2, 1] {
        manager.forward(agent(number), host(1), address(22), to(4000));
    }
    until_up(&manager).await;
    let link = script.link(0);
    assert_eq!(link.requests(), [to(4000)]);
    assert_eq!(manager.status()[0].agents, [agent(1), agent(2)]);

    assert_eq!(manager.remove_agent(&agent(1)), 1);
    assert_eq!(manager.remove_agent(&agent(1)), 0, "it has left already");
    assert_eq!(manager.status()[0].agents, [agent(2)]);
    tokio::task::yield_now().await;
    assert!(!link.is_closed());

    assert_eq!(manager.remove_agent(&agent(2)), 1);
    until(&manager, "the host is still there", <[_]>::is_empty).await;
    assert!(link.is_closed());
    assert_eq!(script.links().len(), 1);
}

#[tokio::test]
async fn a_forward_that_nobody_needs_is_cancelled_and_others_stay() {
    let script = Script::new();
    let manager = manager(&script);
    let other = Forward {
        remote_port: 1990,
        ..to(5000)
    };
    manager.forward(agent(1), host(1), address(22), to(4000));
    manager.forward(agent(2), host(1), address(22), other);
    manager.forward(agent(2), host(1), address(22), to(4000));
    until_up(&manager).await;
    let link = script.link(0);
    link.until("two forwards", |link| link.standing().len() == 2)
        .await;
    assert_eq!(manager.remove_agent(&agent(2)), 2);
    link.until("one forward", |link| link.standing() == [to(4000)])
        .await;
    assert!(!link.is_closed());
}

#[tokio::test]
async fn two_hosts_share_nothing_even_at_one_address() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    manager.forward(agent(2), host(2), address(22), to(5000));
    until_up(&manager).await;
    let mut standing: Vec<_> = script.links().iter().map(|link| link.standing()).collect();
    standing.sort_by_key(|forwards| forwards[0].target);
    assert_eq!(standing, [[to(4000)], [to(5000)]]);
    manager.remove_agent(&agent(1));
    until(&manager, "one host is left", |hosts| hosts.len() == 1).await;
    assert_eq!(manager.status()[0].host, host(2));
    let open = script
        .links()
        .iter()
        .filter(|link| !link.is_closed())
        .count();
    assert_eq!(open, 1);
}

#[tokio::test]
async fn another_address_replaces_a_connection_that_stands() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    manager.forward(agent(1), host(1), address(23), to(4000));
    script
        .until("a second link", |script| script.links().len() == 2)
        .await;
    assert!(script.link(0).is_closed(), "before the new one was opened");
    assert_eq!(script.link(1).port, 23);
    until_up(&manager).await;
    assert_eq!(manager.status()[0].address, "root@10.0.0.1:23");
}

#[tokio::test]
async fn another_address_replaces_an_attempt_that_hangs() {
    let script = Script::new();
    script.conduct(22, Conduct::HangsOpening);
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    script
        .until("an attempt", |script| script.attempts() == [22])
        .await;
    manager.forward(agent(1), host(1), address(23), to(4000));
    script
        .until("a link", |script| script.links().len() == 1)
        .await;
    assert_eq!(script.attempts(), [22, 23]);
}

#[tokio::test]
async fn another_target_replaces_the_forward_on_the_same_connection() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    manager.forward(agent(1), host(1), address(22), to(5000));
    let link = script.link(0);
    link.until("the new target", |link| link.standing() == [to(5000)])
        .await;
    assert_eq!(script.links().len(), 1);
}

#[tokio::test]
async fn an_agent_on_two_hosts_leaves_one_of_them_or_both() {
    let script = Script::new();
    let manager = manager(&script);
    for number in 1..=3 {
        manager.forward(agent(1), host(number), address(22), to(4000));
    }
    until_up(&manager).await;
    assert_eq!(manager.remove_agent_from(&agent(1), &host(2)), 1);
    assert_eq!(manager.remove_agent_from(&agent(1), &host(2)), 0);
    until(&manager, "two are left", |hosts| hosts.len() == 2).await;
    assert_eq!(manager.remove_agent(&agent(1)), 2);
    until(&manager, "none is left", <[_]>::is_empty).await;
    assert!(script.links().iter().all(Played::is_closed));
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    script.link(0).lose("the peer was reset");
    script
        .until("a second link", |script| script.links().len() == 2)
        .await;
    until_up(&manager).await;
    let error = manager.status()[0].progress.last_error.clone();
    assert_eq!(error.as_deref(), Some("the peer was reset"));
    assert_eq!(script.link(1).standing(), [to(4000)]);
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_tried_again_until_it_can() {
    let script = Script::new();
    script.conduct(22, Conduct::Fails);
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until(&manager, "it does not fail twice", |hosts| {
        hosts[0].progress.attempts >= 2
    })
    .await;
    let error = manager.status()[0].progress.last_error.clone();
    assert_eq!(error.as_deref(), Some("cannot be reached"));
    script.conduct(22, Conduct::Willing);
    until_up(&manager).await;
}

#[tokio::test]
async fn a_port_held_by_our_last_session_is_freed_and_the_new_one_recorded() {
    let script = Script::new();
    script.conduct(22, Conduct::HoldsPortFor(script::session(7)));
    let sessions = RememberedSessions::default();
    sessions.store(&host(1), &script::session(7));
    let manager = manager_after(&script, sessions);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    let link = script.link(0);
    assert_eq!(
        link.requests(),
        [to(4000), to(4000)],
        "denied, freed, granted"
    );
    link.until("it was identified", |link| link.was_identified())
        .await;

    // The next connection finds the port held by the one before it.
    script.conduct(22, Conduct::HoldsPortFor(link.session()));
    link.lose("timed out");
    script
        .until("a second link", |script| script.links().len() == 2)
        .await;
    until_up(&manager).await;
    assert_eq!(script.link(1).freed(), [link.session()]);
}

#[tokio::test]
async fn a_port_held_by_a_stranger_is_told_and_waited_for() {
    let script = Script::new();
    script.conduct(22, Conduct::HoldsPortFor(script::session(9)));
    let sessions = RememberedSessions::default();
    sessions.store(&host(1), &script::session(7));
    let manager = manager_after(&script, sessions);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until(&manager, "the port is not held", |hosts| {
        hosts[0].progress.state == TunnelState::PortHeld && hosts[0].progress.next_attempt.is_some()
    })
    .await;
    script.conduct(22, Conduct::Willing);
    until_up(&manager).await;
    assert_eq!(script.links().len(), 1, "on the same connection");
}

#[tokio::test]
async fn dead_hosts_do_not_keep_a_living_one_waiting() {
    let script = Script::new();
    script.conduct(22, Conduct::HangsOpening);
    let manager = manager(&script);
    // More than may connect at a time.
    for number in 100..200 {
        manager.forward(agent(number), host(number), address(22), to(4000));
    }
    script
        .until("an attempt", |script| !script.attempts().is_empty())
        .await;
    manager.forward(agent(99), host(99), address(23), to(4000));
    until(&manager, "the living is not up", |hosts| {
        hosts
            .iter()
            .any(|status| status.host == host(99) && status.progress.state == TunnelState::Up)
    })
    .await;
    assert_eq!(manager.close(DEADLINE).await, 0);
}

#[tokio::test]
async fn closing_does_not_wait_for_a_host_that_hangs() {
    let script = Script::new();
    script.conduct(22, Conduct::HangsClosing);
    script.conduct(24, Conduct::HangsOpening);
    let manager = manager(&script);
    for (number, port) in [(1, 22), (2, 23), (3, 24), (4, 23)] {
        manager.forward(agent(number), host(number), address(port), to(4000));
    }
    script
        .until("three links", |script| {
            script.links().len() == 3 && script.attempts().len() == 4
        })
        .await;
    let left = manager.close(Duration::ZERO).await;
    assert!((1..=4).contains(&left), "{left}");
    assert!(script.links().iter().all(Played::is_closed));
    assert_eq!(manager.status(), []);
    manager.forward(agent(5), host(5), address(23), to(4000));
    assert_eq!(manager.status(), [], "nothing begins after the end");
    assert_eq!(manager.close(DEADLINE).await, 0);
}

#[tokio::test]
async fn a_farewell_that_is_never_answered_ends_by_itself() {
    let script = Script::new();
    script.conduct(22, Conduct::HangsClosing);
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    assert_eq!(manager.close(DEADLINE).await, 0);
    assert!(script.link(0).is_closed());
}

#[tokio::test]
async fn an_agent_that_returns_while_its_host_is_left_gets_a_new_connection() {
    let script = Script::new();
    script.conduct(22, Conduct::HangsClosing);
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    manager.remove_agent(&agent(1));
    until(&manager, "it does not close", |hosts| {
        hosts[0].progress.state == TunnelState::Closing
    })
    .await;
    manager.forward(agent(2), host(1), address(22), to(4000));
    script
        .until("a second link", |script| script.links().len() == 2)
        .await;
    until_up(&manager).await;
    assert_eq!(manager.status()[0].agents, [agent(2)]);
    assert!(script.link(0).is_closed());
}

#[tokio::test]
async fn tunnels_do_not_outlive_their_manager() {
    let script = Script::new();
    let manager = manager(&script);
    manager.forward(agent(1), host(1), address(22), to(4000));
    until_up(&manager).await;
    let mut changes = manager.changes();
    drop(manager);
    let link = script.link(0);
    link.until("it is closed", |link| link.is_closed()).await;
    while changes.changed().await {}
}

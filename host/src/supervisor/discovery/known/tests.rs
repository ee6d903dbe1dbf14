use std::time::Duration;

use super::super::event::Failure;
use super::super::recent::LONGEST_LOOK;
use super::*;

mod model;

fn agent_id(number: usize) -> AgentId {
    AgentId::parse(&format!("agent-{number:032x}")).unwrap()
}

fn host_id(number: usize) -> HostId {
    HostId::parse(&format!("host-{number:032x}")).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ssh(port: u16) -> SshInfo {
    SshInfo {
        user: "u".into(),
        host: "h".into(),
        port,
        key_path: "/k".into(),
        known_hosts_path: None,
    }
}

fn agent(id: usize, host: usize, provider: &str) -> Agent {
    Agent {
        id: agent_id(id),
        host: host_id(host),
        name: "n".into(),
        provider: provider.into(),
    }
}

fn discovered(second: i64, agent: Agent) -> Event {
    let at = at(second);
    Event::AgentDiscovered { at, agent }
}

fn destroyed(second: i64, agent: usize, host: usize) -> Event {
    Event::AgentDestroyed {
        at: at(second),
        agent: agent_id(agent),
        host: host_id(host),
    }
}

fn host_destroyed(second: i64, host: usize, agents: &[usize]) -> Event {
    Event::HostDestroyed {
        at: at(second),
        host: host_id(host),
        agents: agents.iter().copied().map(agent_id).collect(),
    }
}

fn reached(second: i64, host: usize, port: u16) -> Event {
    Event::HostSsh {
        at: at(second),
        host: host_id(host),
        ssh: ssh(port),
    }
}

fn failure(provider: &str) -> Failure {
    Failure {
        source: provider.into(),
        message: "m".into(),
    }
}

fn snapshot(scope: Scope, agents: Vec<Agent>) -> Snapshot {
    Snapshot {
        scope,
        agents,
        ssh: vec![],
        unknown_agents: vec![],
        unknown_hosts: vec![],
    }
}

fn full(fingerprint: u64, failed: &[&str], agents: Vec<Agent>) -> Event {
    let failed = failed.iter().map(|provider| failure(provider)).collect();
    let scope = Scope::Everything {
        failed,
        fingerprint,
    };
    Event::Snapshot(snapshot(scope, agents))
}

fn provider(began: i64, name: &str, agents: Vec<Agent>) -> Snapshot {
    let scope = Scope::Provider {
        name: name.into(),
        failed: None,
        began: at(began),
    };
    snapshot(scope, agents)
}

/// The known set, and changes in short: `+1@2:22` for agent 1 on host 2 with port 22, `-1@2` for its end.
struct Scene {
    known: Known,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            known: Known::default(),
            now: Instant::now(),
        }
    }

    fn apply(&mut self, event: Event) -> Vec<String> {
        let changes = self.known.apply(event, self.now);
        let mut told: Vec<String> = changes.iter().map(short).collect();
        told.sort();
        told
    }
}

fn short(change: &Change) -> String {
    let number = |id: &str| {
        let (_, hex) = id.split_once('-').unwrap();
        usize::from_str_radix(hex, 16).unwrap()
    };
    match change {
        Change::Discovered(found) => format!(
            "+{}@{}:{}",
            number(found.agent.as_str()),
            number(found.host.as_str()),
            found.ssh.as_ref().map_or(0, |ssh| ssh.port)
        ),
        Change::Destroyed(agent, host) => {
            format!("-{}@{}", number(agent.as_str()), number(host.as_str()))
        }
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_way_to_a_host_may_come_before_its_agents_or_after_them_and_change() {
    let mut scene = Scene::new();
    assert_eq!(scene.apply(discovered(1, agent(1, 1, "p"))), ["+1@1:0"]);
    assert_eq!(scene.apply(discovered(1, agent(2, 1, "p"))), ["+2@1:0"]);
    assert_eq!(scene.apply(reached(2, 1, 22)), ["+1@1:22", "+2@1:22"]);
    assert_eq!(scene.apply(reached(3, 1, 22)), NOTHING);
    assert_eq!(scene.apply(reached(4, 1, 23)), ["+1@1:23", "+2@1:23"]);
    assert_eq!(scene.apply(reached(5, 2, 24)), NOTHING);
    assert_eq!(scene.apply(discovered(6, agent(3, 2, "p"))), ["+3@2:24"]);
    assert_eq!(scene.apply(discovered(7, agent(3, 2, "p"))), NOTHING);
}

#[test]
fn a_snapshot_of_everything_replaces_all_but_what_could_not_be_looked_at() {
    let mut scene = Scene::new();
    let agents = vec![agent(1, 1, "p"), agent(2, 2, "q"), agent(3, 3, "p")];
    assert_eq!(
        scene.apply(full(1, &[], agents)),
        ["+1@1:0", "+2@2:0", "+3@3:0"]
    );
    let told = scene.apply(full(2, &["q"], vec![agent(1, 1, "p")]));
    assert_eq!(told, ["-3@3"]);
    let mut partial = full(3, &[], vec![]);
    if let Event::Snapshot(snapshot) = &mut partial {
        snapshot.unknown_agents = vec![agent_id(1)];
    }
    assert_eq!(scene.apply(partial), ["-2@2"]);
    assert_eq!(scene.apply(full(4, &[], vec![])), ["-1@1"]);
}

#[test]
fn a_provider_speaks_for_itself_alone() {
    let mut scene = Scene::new();
    scene.apply(full(1, &[], vec![agent(1, 1, "p"), agent(2, 2, "q")]));
    let found = provider(10, "p", vec![agent(3, 3, "p")]);
    assert_eq!(scene.apply(Event::Snapshot(found)), ["+3@3:0", "-1@1"]);
    let none = Event::Snapshot(provider(20, "q", vec![]));
    assert_eq!(scene.apply(none), ["-2@2"]);
    assert_eq!(scene.known.number_of_agents(), 1);
}

#[test]
fn what_a_provider_could_not_look_at_is_kept() {
    let mut scene = Scene::new();
    let agents = vec![
        agent(1, 1, "p"),
        agent(2, 2, "p"),
        agent(3, 2, "p"),
        agent(4, 3, "p"),
    ];
    scene.apply(Event::Snapshot(provider(1, "p", agents)));
    let mut broken = provider(2, "p", vec![]);
    broken.scope = Scope::Provider {
        name: "p".into(),
        failed: Some(failure("p")),
        began: at(2),
    };
    assert_eq!(scene.apply(Event::Snapshot(broken)), NOTHING);
    let mut partial = provider(3, "p", vec![]);
    partial.unknown_agents = vec![agent_id(1)];
    partial.unknown_hosts = vec![host_id(2)];
    assert_eq!(scene.apply(Event::Snapshot(partial)), ["-4@3"]);
}

#[test]
fn what_happened_during_a_look_is_newer_than_what_was_seen() {
    let mut scene = Scene::new();
    let seen = || vec![agent(1, 1, "p"), agent(2, 2, "p")];
    scene.apply(Event::Snapshot(provider(10, "p", seen())));
    scene.apply(reached(10, 1, 22));
    // The look begins at 20.
    assert_eq!(scene.apply(destroyed(20, 1, 1)), ["-1@1"]);
    assert_eq!(scene.apply(host_destroyed(21, 2, &[])), ["-2@2"]);
    assert_eq!(scene.apply(discovered(22, agent(3, 3, "p"))), ["+3@3:0"]);
    let mut listed = seen();
    listed.push(agent(4, 2, "p"));
    let mut stale = provider(20, "p", listed);
    stale.ssh = vec![(host_id(2), ssh(1)), (host_id(1), ssh(2))];
    assert_eq!(scene.apply(Event::Snapshot(stale)), NOTHING);
    assert_eq!(scene.apply(reached(23, 3, 33)), ["+3@3:33"]);
    let mut stale = provider(20, "p", vec![]);
    stale.ssh = vec![(host_id(3), ssh(1))];
    assert_eq!(scene.apply(Event::Snapshot(stale)), NOTHING);
    // The next look begins after all of that.
    let next = Event::Snapshot(provider(24, "p", seen()));
    assert_eq!(scene.apply(next), ["+1@1:2", "+2@2:0", "-3@3"]);
}

#[test]
fn a_time_that_is_wrong_holds_snapshots_off_for_a_while_only() {
    let mut scene = Scene::new();
    scene.apply(discovered(1_000_000, agent(1, 1, "p")));
    let gone = || Event::Snapshot(provider(10, "p", vec![]));
    assert_eq!(scene.apply(gone()), NOTHING);
    scene.now += LONGEST_LOOK + Duration::from_secs(1);
    assert_eq!(scene.apply(gone()), ["-1@1"]);
}

#[test]
fn a_destroyed_host_takes_its_agents_and_the_way_to_it() {
    let mut scene = Scene::new();
    scene.apply(reached(1, 1, 22));
    scene.apply(full(
        1,
        &[],
        vec![agent(1, 1, "p"), agent(2, 1, "p"), agent(1, 2, "p")],
    ));
    assert_eq!(scene.apply(host_destroyed(2, 1, &[1, 9])), ["-1@1", "-2@1"]);
    assert_eq!(scene.apply(host_destroyed(3, 1, &[1, 2])), NOTHING);
    assert_eq!(scene.apply(discovered(4, agent(1, 1, "p"))), ["+1@1:0"]);
}

#[test]
fn an_agent_that_moves_is_on_both_hosts_until_the_old_one_is_given_up() {
    let mut scene = Scene::new();
    scene.apply(reached(1, 1, 21));
    scene.apply(reached(1, 2, 22));
    scene.apply(full(1, &[], vec![agent(1, 1, "p")]));
    assert_eq!(scene.apply(discovered(2, agent(1, 2, "q"))), ["+1@2:22"]);
    assert_eq!(scene.apply(destroyed(3, 1, 1)), ["-1@1"]);
    let back = full(2, &[], vec![agent(1, 1, "p")]);
    assert_eq!(scene.apply(back), ["+1@1:21", "-1@2"]);
}

#[test]
fn a_new_mngr_that_repeats_its_last_snapshot_undoes_nothing() {
    let mut scene = Scene::new();
    let old = || full(7, &[], vec![agent(1, 1, "p")]);
    scene.known.observer_started();
    assert_eq!(scene.apply(old()), ["+1@1:0"]);
    scene.apply(discovered(2, agent(2, 2, "p")));
    scene.known.observer_started();
    assert_eq!(scene.apply(old()), NOTHING);
    // Repeated later, or with other content, it means what it says.
    assert_eq!(scene.apply(old()), ["-2@2"]);
    scene.known.observer_started();
    assert_eq!(scene.apply(full(8, &[], vec![])), ["-1@1"]);
}

#[test]
fn the_same_again_changes_nothing_and_makes_nothing_grow() {
    let mut scene = Scene::new();
    let agents = || (0..50).map(|id| agent(id, id / 5, "p")).collect::<Vec<_>>();
    let size = |known: &Known| (known.agents.capacity(), known.hosts.capacity());
    scene.apply(full(0, &[], agents()));
    for host in 0..10 {
        scene.apply(reached(1, host, 22));
    }
    let before = size(&scene.known);
    for second in 0..1_000 {
        let again = match second % 2 {
            0 => full(1, &[], agents()),
            _ => Event::Snapshot(provider(second, "p", agents())),
        };
        assert_eq!(scene.apply(again), NOTHING);
        assert_eq!(scene.apply(reached(second, 3, 22)), NOTHING);
    }
    assert_eq!(size(&scene.known), before);
}

#[test]
fn hosts_without_agents_are_remembered_up_to_a_number() {
    let mut scene = Scene::new();
    scene.apply(reached(0, 0, 22));
    scene.apply(discovered(0, agent(1, 0, "p")));
    for host in 1..3 * LIMIT_OF_SPARE_HOSTS {
        scene.apply(reached(1, host, 22));
    }
    let number = scene.known.hosts.len();
    assert!(number <= LIMIT_OF_SPARE_HOSTS + 1, "{number}");
    let last = 3 * LIMIT_OF_SPARE_HOSTS - 1;
    assert_eq!(
        scene.apply(discovered(2, agent(2, last, "p"))),
        [format!("+2@{last}:22")]
    );
    assert_eq!(scene.apply(discovered(2, agent(2, 1, "p"))), ["+2@1:0"]);
    assert_eq!(scene.apply(reached(3, 0, 23)), ["+1@0:23"]);
}

//! The machine, driven by hand: no clock but the one that a test turns.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::store::ids::AgentId;
use crate::supervisor::ssh_info::SshInfo;

const PORT: u16 = 1989;
const SECOND: Duration = Duration::from_secs(1);

/// The longest wait that the schedule allows.
fn longest() -> u64 {
    u64::MAX
}

fn target(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn forward() -> Forward {
    Forward {
        remote_port: PORT,
        target: target(4000),
    }
}

/// A machine, its clock, and what is wanted of it.
struct Bench {
    machine: Machine,
    now: Moment,
    wanted: Wanted,
}

impl Bench {
    fn new() -> Self {
        let ssh = SshInfo {
            user: "root".to_owned(),
            host: "10.0.0.1".to_owned(),
            port: 22,
            key_path: "/keys/id".into(),
            known_hosts_path: None,
        };
        let agent = AgentId::parse(&format!("agent-{}", "a".repeat(32))).unwrap();
        let mut wanted = Wanted::nothing(ssh.clone());
        wanted.add(&agent, &ssh, forward());
        let now = Moment {
            instant: Instant::now(),
            time: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        Self {
            machine: Machine::new(now, longest),
            now,
            wanted,
        }
    }

    /// Connected, with the port, probed and identified.
    fn up() -> Self {
        let mut bench = Self::new();
        bench.connect();
        assert_eq!(bench.next(), Step::Forward(forward()));
        bench.answer(Ok(()));
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::Passed);
        assert_eq!(bench.next(), Step::Identify);
        bench
    }

    fn connect(&mut self) {
        assert_eq!(self.next(), Step::Open);
        self.machine.opened(self.now);
    }

    fn next(&mut self) -> Step {
        self.machine.next(self.now, &self.wanted)
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Lets the time pass that the machine wants to rest, and says how long that was.
    fn rest(&mut self) -> Duration {
        let Step::Rest(Some(until)) = self.next() else {
            panic!("it does not rest: {:?}", self.next());
        };
        let wait = until.saturating_duration_since(self.now.instant);
        self.pass(wait);
        wait
    }

    fn fail(&mut self) {
        let failure = OpenFailure {
            text: "connection refused".to_owned(),
            refused: false,
        };
        self.machine.open_failed(self.now, failure);
    }

    fn refuse(&mut self) {
        let failure = OpenFailure {
            text: "the host key has changed".to_owned(),
            refused: true,
        };
        self.machine.open_failed(self.now, failure);
    }

    fn answer(&mut self, answer: Result<(), ForwardFailure>) {
        self.machine.forwarded(self.now, forward(), answer);
    }

    fn deny(&mut self) {
        assert_eq!(self.next(), Step::Forward(forward()));
        self.answer(Err(ForwardFailure::Held("denied".to_owned())));
    }

    fn verdict(&mut self, verdict: Verdict) {
        self.machine.probed(self.now, verdict);
    }

    fn state(&self) -> TunnelState {
        self.machine.progress().state
    }

    fn verified(&self) -> Verified {
        self.machine.progress().verified
    }
}

/// Without the random part, up to a rounding.
fn seconds(wait: Duration) -> u64 {
    (wait + Duration::from_millis(1)).as_secs()
}

#[test]
fn the_first_attempt_is_made_at_once_and_no_second_beside_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.next(), Step::Open);
    assert_eq!(bench.state(), TunnelState::Connecting);
    assert_eq!(bench.next(), Step::Rest(None));
}

#[test]
fn attempts_go_on_for_ever_at_growing_distances() {
    let mut bench = Bench::new();
    let mut waits = Vec::new();
    for attempt in 1..=12 {
        assert_eq!(bench.next(), Step::Open);
        bench.fail();
        assert_eq!(bench.state(), TunnelState::Waiting);
        assert_eq!(bench.machine.progress().attempts, attempt);
        let next = bench.machine.progress().next_attempt.unwrap();
        let wait = bench.rest();
        assert_eq!(
            next, bench.now.time,
            "the time that is told is the true one"
        );
        waits.push(seconds(wait));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(bench.next(), Step::Open);
    assert_eq!(bench.machine.progress().next_attempt, None);
}

#[test]
fn a_tunnel_is_up_with_its_port_then_probed_then_identified() {
    let mut bench = Bench::new();
    bench.connect();
    assert_eq!(
        bench.state(),
        TunnelState::Connecting,
        "there is no port yet"
    );
    assert_eq!(bench.next(), Step::Forward(forward()));
    bench.answer(Ok(()));
    assert_eq!(
        (bench.state(), bench.verified()),
        (TunnelState::Up, Verified::No)
    );
    assert_eq!(bench.next(), Step::Probe(vec![PORT]));
    bench.pass(SECOND);
    bench.verdict(Verdict::Passed);
    assert_eq!(bench.verified(), Verified::Yes);
    assert_eq!(bench.machine.progress().last_verified, Some(bench.now.time));
    assert_eq!(bench.next(), Step::Identify);
    let wait = bench.rest();
    assert!((48..=72).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(bench.next(), Step::Probe(vec![PORT]), "and only the probe");
}

#[test]
fn one_failed_probe_is_forgiven_and_two_in_a_row_are_not() {
    let mut bench = Bench::up();
    for _ in 0..3 {
        bench.rest();
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::Failed("no answer".to_owned()));
        assert_eq!(
            (bench.state(), bench.verified()),
            (TunnelState::Up, Verified::No)
        );
        bench.rest();
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::Passed);
        assert_eq!(bench.verified(), Verified::Yes);
    }
    for expected in [TunnelState::Up, TunnelState::Waiting] {
        bench.rest();
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::Failed("no answer".to_owned()));
        assert_eq!(bench.state(), expected);
    }
    assert!(!bench.machine.is_connected());
    assert_eq!(
        bench.machine.progress().last_error.as_deref(),
        Some("no answer")
    );
}

#[test]
fn a_gateway_that_is_away_condemns_no_connection() {
    let mut bench = Bench::up();
    for _ in 0..50 {
        bench.rest();
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::GatewayAway("refused".to_owned()));
        assert_eq!(
            (bench.state(), bench.verified()),
            (TunnelState::Up, Verified::No)
        );
    }
    bench.rest();
    assert_eq!(bench.next(), Step::Probe(vec![PORT]));
    bench.verdict(Verdict::Passed);
    assert_eq!(bench.verified(), Verified::Yes);
}

#[test]
fn a_host_that_forbids_probes_is_not_asked_again() {
    let mut bench = Bench::new();
    bench.connect();
    assert_eq!(bench.next(), Step::Forward(forward()));
    bench.answer(Ok(()));
    assert_eq!(bench.next(), Step::Probe(vec![PORT]));
    bench.verdict(Verdict::NotPermitted);
    assert_eq!(bench.verified(), Verified::NotPermitted);
    assert_eq!(bench.next(), Step::Identify);
    assert_eq!(bench.next(), Step::Rest(None));
    assert_eq!(bench.state(), TunnelState::Up);
}

#[test]
fn a_row_of_failures_ends_with_a_minute_of_connection_and_not_before() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        assert_eq!(bench.next(), Step::Open);
        bench.fail();
        bench.rest();
    }
    bench.connect();
    bench.pass(59 * SECOND);
    bench.machine.lost(bench.now, "reset".to_owned());
    assert_eq!(bench.machine.progress().attempts, 5);
    assert_eq!(seconds(bench.rest()), 16);
    bench.connect();
    bench.pass(60 * SECOND);
    bench.machine.lost(bench.now, "reset".to_owned());
    assert_eq!(bench.machine.progress().attempts, 1);
    assert_eq!(seconds(bench.rest()), 1);
    assert_eq!(bench.next(), Step::Open);
}

#[test]
fn failures_are_not_told_of_a_tunnel_that_has_long_been_well() {
    let mut bench = Bench::new();
    assert_eq!(bench.next(), Step::Open);
    bench.fail();
    bench.rest();
    bench.connect();
    assert_eq!(bench.next(), Step::Forward(forward()));
    bench.answer(Ok(()));
    for attempts in [1, 0] {
        assert_eq!(bench.next(), Step::Probe(vec![PORT]));
        bench.verdict(Verdict::Passed);
        assert_eq!(bench.machine.progress().attempts, attempts);
        if attempts == 1 {
            assert_eq!(bench.next(), Step::Identify);
            bench.rest();
        }
    }
}

#[test]
fn a_refusal_is_retried_and_at_once_when_the_files_change() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        assert_eq!(bench.next(), Step::Open);
        bench.refuse();
        assert_eq!(bench.state(), TunnelState::Refused);
        while bench.machine.progress().next_attempt.unwrap() > bench.now.time {
            bench.rest();
            if bench.machine.progress().next_attempt.unwrap() > bench.now.time {
                assert_eq!(bench.next(), Step::Look);
            }
        }
    }
    assert_eq!(bench.next(), Step::Open, "also without a change");
    bench.refuse();
    assert_eq!(bench.rest(), 5 * SECOND);
    assert_eq!(bench.next(), Step::Look);
    bench.machine.files_changed(bench.now);
    assert_eq!(bench.next(), Step::Open);
}

#[test]
fn files_matter_to_a_refusal_alone() {
    let mut bench = Bench::new();
    assert_eq!(bench.next(), Step::Open);
    bench.fail();
    bench.machine.files_changed(bench.now);
    assert_eq!(seconds(bench.rest()), 1);
    let mut up = Bench::up();
    up.machine.files_changed(up.now);
    assert!(up.machine.is_connected());
}

#[test]
fn a_new_address_ends_every_wait() {
    let mut bench = Bench::new();
    for _ in 0..8 {
        assert_eq!(bench.next(), Step::Open);
        bench.fail();
        bench.rest();
    }
    assert_eq!(bench.next(), Step::Open);
    bench.fail();
    bench.machine.restart(bench.now);
    assert_eq!(bench.next(), Step::Open);
    assert_eq!(bench.machine.progress().attempts, 0);

    let mut up = Bench::up();
    up.machine.restart(up.now);
    assert!(
        !up.machine.is_connected(),
        "the connection is of no use any more"
    );
    assert_eq!(up.next(), Step::Open);
    assert_eq!(up.verified(), Verified::No);
}

#[test]
fn a_held_port_is_waited_for_on_the_same_connection_and_never_given_up() {
    let mut bench = Bench::new();
    bench.connect();
    let mut waits = Vec::new();
    for denial in 0..1000 {
        bench.deny();
        assert_eq!(bench.state(), TunnelState::PortHeld);
        if denial == 0 {
            assert_eq!(bench.next(), Step::Free(PORT));
            bench.machine.freed(bench.now, PORT, &Freed::No);
        }
        let next = bench.machine.progress().next_attempt;
        waits.push(bench.rest().as_secs());
        assert_eq!(next, Some(bench.now.time));
    }
    assert_eq!(waits[..6], [3, 6, 12, 24, 30, 30]);
    assert_eq!(waits[999], 30);
    assert!(bench.machine.is_connected());
    assert_eq!(bench.next(), Step::Forward(forward()));
    bench.answer(Ok(()));
    assert_eq!(bench.state(), TunnelState::Up);
    assert_eq!(bench.machine.progress().next_attempt, None);
}

#[test]
fn a_port_that_was_freed_is_asked_for_at_once() {
    let mut bench = Bench::new();
    bench.connect();
    bench.deny();
    assert_eq!(bench.next(), Step::Free(PORT));
    bench.machine.freed(bench.now, PORT, &Freed::Yes);
    bench.deny();
    assert_eq!(
        seconds(bench.rest()),
        6,
        "not freed twice, nor asked for in a circle"
    );
    assert_eq!(bench.next(), Step::Forward(forward()));
}

#[test]
fn a_predecessor_that_could_not_be_reached_is_tried_again_after_the_next_denial() {
    let mut bench = Bench::new();
    bench.connect();
    for _ in 0..3 {
        bench.deny();
        assert_eq!(bench.next(), Step::Free(PORT));
        bench.machine.freed(bench.now, PORT, &Freed::Unknown);
        bench.rest();
    }
}

#[test]
fn a_request_that_fails_is_a_lost_connection() {
    let mut bench = Bench::new();
    bench.connect();
    assert_eq!(bench.next(), Step::Forward(forward()));
    bench.answer(Err(ForwardFailure::Failed("timed out".to_owned())));
    assert_eq!(bench.state(), TunnelState::Waiting);
    assert!(!bench.machine.is_connected());
}

#[test]
fn ports_follow_what_is_wanted() {
    let mut bench = Bench::up();
    let other = bench.wanted.ports[&PORT].clone();
    bench.wanted.ports.insert(1990, other);
    let second = Forward {
        remote_port: 1990,
        ..forward()
    };
    assert_eq!(bench.next(), Step::Forward(second));
    bench.machine.forwarded(bench.now, second, Ok(()));
    assert_eq!(bench.next(), Step::Probe(vec![PORT, 1990]));
    bench.verdict(Verdict::Passed);

    bench.wanted.ports.get_mut(&PORT).unwrap().target = target(5000);
    assert_eq!(bench.next(), Step::Cancel(PORT));
    let moved = Forward {
        target: target(5000),
        ..forward()
    };
    assert_eq!(bench.next(), Step::Forward(moved));
    bench.machine.forwarded(bench.now, moved, Ok(()));

    bench.wanted.ports.remove(&1990);
    assert_eq!(bench.next(), Step::Cancel(1990));
    assert_eq!(bench.next(), Step::Probe(vec![PORT]));
}

#[test]
fn a_denied_port_that_nobody_wants_any_more_is_forgotten() {
    let mut bench = Bench::up();
    let other = bench.wanted.ports[&PORT].clone();
    bench.wanted.ports.insert(1990, other);
    let second = Forward {
        remote_port: 1990,
        ..forward()
    };
    assert_eq!(bench.next(), Step::Forward(second));
    let held = Err(ForwardFailure::Held("denied".to_owned()));
    bench.machine.forwarded(bench.now, second, held);
    assert_eq!(bench.state(), TunnelState::PortHeld);
    bench.wanted.ports.remove(&1990);
    assert!(matches!(bench.next(), Step::Rest(Some(_))));
    assert_eq!(bench.state(), TunnelState::Up);
}

#[test]
fn what_is_not_wanted_rests_until_it_is_wanted_again() {
    let mut bench = Bench::up();
    bench.machine.close(bench.now);
    assert_eq!(bench.state(), TunnelState::Closing);
    assert_eq!(bench.next(), Step::Rest(None));
    bench.machine.restart(bench.now);
    assert_eq!(bench.next(), Step::Open);
}

#[test]
fn the_time_of_a_state_is_that_of_its_beginning() {
    let mut bench = Bench::up();
    let since = bench.machine.progress().since;
    bench.rest();
    assert_eq!(bench.next(), Step::Probe(vec![PORT]));
    bench.verdict(Verdict::Passed);
    assert_eq!(bench.machine.progress().since, since);
    bench.machine.lost(bench.now, "reset".to_owned());
    assert_eq!(bench.machine.progress().since, bench.now.time);
}

#[derive(Clone, Debug)]
enum Event {
    Opened,
    Failed,
    Refused,
    Lost,
    Stands,
    Held,
    Freed(bool),
    Passed,
    ProbeFailed,
    Restart,
    FilesChanged,
    Pass(u16),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Opened),
        Just(Event::Failed),
        Just(Event::Refused),
        Just(Event::Lost),
        Just(Event::Stands),
        Just(Event::Held),
        any::<bool>().prop_map(Event::Freed),
        Just(Event::Passed),
        Just(Event::ProbeFailed),
        Just(Event::Restart),
        Just(Event::FilesChanged),
        any::<u16>().prop_map(Event::Pass),
    ]
}

proptest! {
    /// Whatever happened, a machine that is left to itself and whose steps succeed has its tunnel up soon.
    #[test]
    fn no_history_keeps_a_tunnel_from_coming_up(events in proptest::collection::vec(event(), 0..60)) {
        let mut bench = Bench::new();
        let mut step = bench.next();
        for event in events {
            let held = || Err(ForwardFailure::Held("denied".to_owned()));
            match (event, &step) {
                (Event::Opened, Step::Open) => bench.machine.opened(bench.now),
                (Event::Failed, Step::Open) => bench.fail(),
                (Event::Refused, Step::Open) => bench.refuse(),
                (Event::Lost, _) if bench.machine.is_connected() => {
                    bench.machine.lost(bench.now, "lost".to_owned());
                }
                (Event::Stands, Step::Forward(_)) => bench.answer(Ok(())),
                (Event::Held, Step::Forward(_)) => bench.answer(held()),
                (Event::Freed(true), Step::Free(port)) => bench.machine.freed(bench.now, *port, &Freed::Yes),
                (Event::Freed(false), Step::Free(port)) => bench.machine.freed(bench.now, *port, &Freed::Unknown),
                (Event::Passed, Step::Probe(_)) => bench.verdict(Verdict::Passed),
                (Event::ProbeFailed, Step::Probe(_)) => bench.verdict(Verdict::Failed("no".to_owned())),
                (Event::Restart, _) => bench.machine.restart(bench.now),
                (Event::FilesChanged, Step::Look) => bench.machine.files_changed(bench.now),
                (Event::Pass(seconds), _) => bench.pass(SECOND * u32::from(seconds)),
                _ => continue,
            }
            // As in life: no new step while one is under way.
            if bench.machine.is_connected() || !matches!(step, Step::Open) || bench.state() != TunnelState::Connecting {
                step = bench.next();
            }
        }
        let begin = bench.now.instant;
        for _ in 0..1000 {
            match step {
                Step::Open => bench.machine.opened(bench.now),
                Step::Forward(_) => bench.answer(Ok(())),
                Step::Free(port) => bench.machine.freed(bench.now, port, &Freed::No),
                Step::Probe(_) => bench.verdict(Verdict::Passed),
                Step::Look | Step::Cancel(_) | Step::Identify => {}
                Step::Rest(Some(until)) => bench.pass(until.saturating_duration_since(bench.now.instant)),
                Step::Rest(None) => prop_assert!(false, "it rests for ever, {:?}", bench.state()),
            }
            if bench.state() == TunnelState::Up && bench.verified() == Verified::Yes {
                break;
            }
            step = bench.next();
        }
        prop_assert_eq!(bench.state(), TunnelState::Up);
        let taken = bench.now.instant - begin;
        prop_assert!(taken <= Duration::from_mins(6), "{:?}", taken);
    }
}

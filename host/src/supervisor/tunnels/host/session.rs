//! One connection that stands: its ports, and the probes through them. Ends with the connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::machine::{Freed, Moment, Step};
use crate::supervisor::backoff::{Backoff, fraction};
use crate::supervisor::tunnels::link::{Forward, Verdict};
use crate::supervisor::tunnels::status::TunnelState;
use crate::supervisor::tunnels::wanted::Wanted;

/// Between requests for a port that the host denies.
const HELD_PORT: Backoff = Backoff::new(Duration::from_secs(3), Duration::from_secs(30));

/// Between two probes of a tunnel that works: a minute, give or take a fifth, so that a thousand hosts take turns.
const PROBE_EARLIEST: Duration = Duration::from_secs(48);
const PROBE_SPREAD: Duration = Duration::from_secs(24);
/// Between two probes of one that seems not to.
const PROBE_AGAIN: Duration = Duration::from_secs(10);
/// This many failed probes in a row condemn a connection.
const FAILED_PROBES: u8 = 2;

/// A port that was asked for.
#[derive(Debug)]
enum Port {
    /// The host listens.
    Standing { target: SocketAddr },
    /// The host said no this many times.
    Held {
        denials: u32,
        retry: Moment,
        predecessor: Predecessor,
    },
}

/// What was done about an earlier session of ours that may hold a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predecessor {
    /// Nothing: now is the time.
    Untried,
    /// It does not hold the port any more, or never did.
    DealtWith,
    /// It could not be reached; to be tried again after the next denial.
    Unknown,
}

#[derive(Debug)]
enum Probe {
    Due {
        at: Instant,
        failures: u8,
    },
    /// The host forbids it, and would log each attempt.
    Forbidden,
}

#[derive(Debug)]
pub(super) struct Session {
    since: Instant,
    ports: BTreeMap<u16, Port>,
    probe: Probe,
    /// Whether the process that serves us was asked for.
    identified: bool,
}

impl Session {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            ports: BTreeMap::new(),
            probe: Probe::Due {
                at: now,
                failures: 0,
            },
            identified: false,
        }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(super) fn state(&self) -> TunnelState {
        if self.ports.is_empty() {
            TunnelState::Connecting
        } else if self.standing().count() == self.ports.len() {
            TunnelState::Up
        } else {
            TunnelState::PortHeld
        }
    }

    /// When a denied port is asked for again.
    pub(super) fn next_request(&self) -> Option<Moment> {
        self.ports
            .values()
            .filter_map(|port| match port {
                Port::Held { retry, .. } => Some(*retry),
                Port::Standing { .. } => None,
            })
            .min_by_key(|retry| retry.instant)
    }

    /// Whether probes have shown that nothing passes.
    pub(super) fn is_useless(&self) -> bool {
        matches!(self.probe, Probe::Due { failures, .. } if failures >= FAILED_PROBES)
    }

    /// First gives back what is not wanted, then asks for what is, then sees whether it works.
    pub(super) fn next(&mut self, now: Instant, wanted: &Wanted) -> Step {
        if let Some(port) = self.take_unwanted(wanted) {
            return Step::Cancel(port);
        }
        for (&remote_port, port) in &wanted.ports {
            match self.ports.get(&remote_port) {
                Some(Port::Standing { .. }) => {}
                Some(Port::Held {
                    predecessor: Predecessor::Untried,
                    ..
                }) => return Step::Free(remote_port),
                Some(Port::Held { retry, .. }) if retry.instant > now => {}
                Some(Port::Held { .. }) | None => {
                    return Step::Forward(Forward {
                        remote_port,
                        target: port.target,
                    });
                }
            }
        }
        let standing: Vec<u16> = self.standing().collect();
        let retry = self.next_request().map(|retry| retry.instant);
        if standing.is_empty() {
            return Step::Rest(retry);
        }
        let probe = match self.probe {
            Probe::Due { at, .. } if at <= now => return Step::Probe(standing),
            Probe::Due { at, .. } => Some(at),
            Probe::Forbidden => None,
        };
        if !self.identified {
            self.identified = true;
            return Step::Identify;
        }
        Step::Rest(probe.into_iter().chain(retry).min())
    }

    /// The host listens on a port.
    pub(super) fn stands(&mut self, now: Instant, forward: Forward) {
        let target = forward.target;
        self.ports
            .insert(forward.remote_port, Port::Standing { target });
        if let Probe::Due { at, .. } = &mut self.probe {
            *at = now;
        }
    }

    /// The host refuses to listen on a port.
    pub(super) fn denied(&mut self, now: Moment, remote_port: u16) {
        let (denials, predecessor) = match self.ports.get(&remote_port) {
            Some(Port::Held {
                denials,
                predecessor: Predecessor::DealtWith,
                ..
            }) => (denials.saturating_add(1), Predecessor::DealtWith),
            Some(Port::Held { denials, .. }) => (denials.saturating_add(1), Predecessor::Untried),
            Some(Port::Standing { .. }) | None => (1, Predecessor::Untried),
        };
        let held = Port::Held {
            denials,
            retry: now.after(HELD_PORT.ceiling(denials)),
            predecessor,
        };
        self.ports.insert(remote_port, held);
    }

    /// The predecessor that may have held a port was dealt with.
    pub(super) fn freed(&mut self, now: Moment, remote_port: u16, freed: &Freed) {
        if let Some(Port::Held {
            retry, predecessor, ..
        }) = self.ports.get_mut(&remote_port)
        {
            match freed {
                Freed::Yes => {
                    *predecessor = Predecessor::DealtWith;
                    *retry = now;
                }
                Freed::No => *predecessor = Predecessor::DealtWith,
                Freed::Unknown => *predecessor = Predecessor::Unknown,
            }
        }
    }

    pub(super) fn probed(&mut self, now: Instant, verdict: &Verdict, random: u64) {
        let before = match self.probe {
            Probe::Due { failures, .. } => failures,
            Probe::Forbidden => return,
        };
        self.probe = match verdict {
            Verdict::Passed => Probe::Due {
                at: now + PROBE_EARLIEST + fraction(PROBE_SPREAD, random),
                failures: 0,
            },
            Verdict::NotPermitted => Probe::Forbidden,
            // Says nothing against the connection: what failed lies behind it.
            Verdict::GatewayAway(_) => Probe::Due {
                at: now + PROBE_AGAIN,
                failures: 0,
            },
            Verdict::Failed(_) => Probe::Due {
                at: now + PROBE_AGAIN,
                failures: before.saturating_add(1),
            },
        };
    }

    fn standing(&self) -> impl Iterator<Item = u16> {
        self.ports
            .iter()
            .filter(|(_, port)| matches!(port, Port::Standing { .. }))
            .map(|(remote_port, _)| *remote_port)
    }

    /// Forgets the ports that are not wanted any more, or not with this target: one that the host still listens on.
    fn take_unwanted(&mut self, wanted: &Wanted) -> Option<u16> {
        self.ports.retain(|remote_port, port| {
            matches!(port, Port::Standing { .. }) || wanted.ports.contains_key(remote_port)
        });
        let unwanted = self.ports.iter().find_map(|(remote_port, port)| {
            let Port::Standing { target } = port else {
                return None;
            };
            let still = wanted.ports.get(remote_port);
            still
                .is_none_or(|wanted| wanted.target != *target)
                .then_some(*remote_port)
        })?;
        self.ports.remove(&unwanted);
        Some(unwanted)
    }
}

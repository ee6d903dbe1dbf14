//! The states of one host's tunnel, without any input or output: what happened goes in with the time at which it
//! happened, the next step comes out.
//!
//! It never gives up. A failure leads to a wait, a wait to an attempt; only what is no longer wanted ends.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::session::Session;
use crate::supervisor::backoff::Backoff;
use crate::supervisor::tunnels::link::{Forward, ForwardFailure, OpenFailure, Verdict};
use crate::supervisor::tunnels::status::{Progress, TunnelState, Verified};
use crate::supervisor::tunnels::wanted::Wanted;

/// Between attempts to connect.
const RECONNECT: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5));

/// A connection that stood this long ends a row of failures.
const STABLE: Duration = Duration::from_mins(1);
/// How often the files that led to a refusal are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One point in time, on the clock that measures and on the one that people read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) time: Timestamp,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            instant: Instant::now(),
            time: Timestamp::now(),
        }
    }

    /// This much later.
    pub(super) fn after(self, wait: Duration) -> Self {
        Self {
            instant: self.instant + wait,
            time: self.time.checked_add(wait).unwrap_or(Timestamp::MAX),
        }
    }
}

/// What is to be done next. No other is asked for before it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Connect.
    Open,
    /// See whether the key file or `known_hosts` has changed.
    Look,
    /// Ask for a port.
    Forward(Forward),
    /// Give a port back.
    Cancel(u16),
    /// End the recorded predecessor's session that may hold this port.
    Free(u16),
    /// Send a request through each of these ports.
    Probe(Vec<u16>),
    /// Find out and record which process holds our ports.
    Identify,
    /// Nothing before this time, unless something happens.
    Rest(Option<Instant>),
}

/// What became of the predecessor's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Freed {
    /// It was ended.
    Yes,
    /// There is none, or it does not hold the port.
    No,
    /// It could not be found out this time.
    Unknown,
}

enum Phase {
    /// The next attempt begins at `until`.
    Waiting {
        until: Instant,
    },
    /// The same, and the attempt begins earlier if the operator changes the files that led to the refusal.
    Refused {
        until: Instant,
        look_at: Instant,
    },
    Connecting,
    Up(Session),
    /// Not wanted any more.
    Closing,
}

/// The machine of one host.
pub(super) struct Machine {
    phase: Phase,
    progress: Progress,
    random: fn() -> u64,
}

impl Machine {
    /// Of a host without a connection, which is to get one at once.
    pub(super) fn new(now: Moment, random: fn() -> u64) -> Self {
        Self {
            phase: Phase::Waiting { until: now.instant },
            progress: Progress::new(now.time),
            random,
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether a connection is of use.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Moment, wanted: &Wanted) -> Step {
        let step = match &mut self.phase {
            Phase::Waiting { until } | Phase::Refused { until, .. } if *until <= now.instant => {
                self.phase = Phase::Connecting;
                Step::Open
            }
            Phase::Refused { look_at, .. } if *look_at <= now.instant => {
                *look_at = now.instant + LOOK_EVERY;
                Step::Look
            }
            Phase::Waiting { until } => Step::Rest(Some(*until)),
            Phase::Refused { until, look_at } => Step::Rest(Some((*until).min(*look_at))),
            Phase::Up(session) => session.next(now.instant, wanted),
            Phase::Connecting | Phase::Closing => Step::Rest(None),
        };
        self.settle(now);
        step
    }

    /// The attempt has led to a connection.
    pub(super) fn opened(&mut self, now: Moment) {
        self.phase = Phase::Up(Session::new(now.instant));
        self.settle(now);
    }

    /// The attempt has led to nothing.
    pub(super) fn open_failed(&mut self, now: Moment, failure: OpenFailure) {
        self.fail(now, failure.text, failure.refused);
    }

    /// The connection has ended by itself.
    pub(super) fn lost(&mut self, now: Moment, reason: String) {
        self.fail(now, reason, false);
    }

    /// The host has answered to the request for a port.
    pub(super) fn forwarded(
        &mut self,
        now: Moment,
        forward: Forward,
        answer: Result<(), ForwardFailure>,
    ) {
        let Phase::Up(session) = &mut self.phase else {
            return;
        };
        match answer {
            Ok(()) => session.stands(now.instant, forward),
            Err(ForwardFailure::Held(text)) => {
                session.denied(now, forward.remote_port);
                self.note(now, text);
            }
            Err(ForwardFailure::Failed(text)) => return self.fail(now, text, false),
        }
        self.settle(now);
    }

    /// The predecessor was dealt with.
    pub(super) fn freed(&mut self, now: Moment, remote_port: u16, freed: &Freed) {
        if let Phase::Up(session) = &mut self.phase {
            session.freed(now, remote_port, freed);
        }
        self.settle(now);
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, now: Moment, verdict: Verdict) {
        let Phase::Up(session) = &mut self.phase else {
            return;
        };
        session.probed(now.instant, &verdict, (self.random)());
        let gives_up = session.is_useless();
        if session.age(now.instant) >= STABLE && verdict == Verdict::Passed {
            self.progress.attempts = 0;
        }
        self.progress.verified = match &verdict {
            Verdict::Passed => Verified::Yes,
            Verdict::NotPermitted => Verified::NotPermitted,
            Verdict::GatewayAway(_) | Verdict::Failed(_) => Verified::No,
        };
        match verdict {
            Verdict::Passed => self.progress.last_verified = Some(now.time),
            Verdict::NotPermitted => {}
            Verdict::Failed(text) if gives_up => return self.fail(now, text, false),
            Verdict::GatewayAway(text) | Verdict::Failed(text) => self.note(now, text),
        }
        self.settle(now);
    }

    /// The files that led to the refusal are others now.
    pub(super) fn files_changed(&mut self, now: Moment) {
        if matches!(self.phase, Phase::Refused { .. }) {
            self.restart(now);
        }
    }

    /// Begins anew at once: the host is reached in another way now, or is wanted again.
    pub(super) fn restart(&mut self, now: Moment) {
        self.phase = Phase::Waiting { until: now.instant };
        self.progress.attempts = 0;
        self.progress.verified = Verified::No;
        self.progress.next_attempt = None;
    }

    /// Nobody wants the connection any more.
    pub(super) fn close(&mut self, now: Moment) {
        self.phase = Phase::Closing;
        self.settle(now);
    }

    fn fail(&mut self, now: Moment, text: String, refused: bool) {
        if let Phase::Up(session) = &self.phase
            && session.age(now.instant) >= STABLE
        {
            self.progress.attempts = 0;
        }
        self.progress.attempts = self.progress.attempts.saturating_add(1);
        let wait = RECONNECT.delay(self.progress.attempts, (self.random)());
        let until = now.after(wait);
        self.phase = if refused {
            Phase::Refused {
                until: until.instant,
                look_at: now.instant + LOOK_EVERY,
            }
        } else {
            Phase::Waiting {
                until: until.instant,
            }
        };
        self.progress.next_attempt = Some(until.time);
        self.note(now, text);
        self.settle(now);
    }

    fn note(&mut self, now: Moment, text: String) {
        self.progress.last_error = Some(text);
        self.progress.last_error_at = Some(now.time);
    }

    /// Brings what is told of the state in line with it.
    fn settle(&mut self, now: Moment) {
        let state = match &self.phase {
            Phase::Waiting { .. } => TunnelState::Waiting,
            Phase::Refused { .. } => TunnelState::Refused,
            Phase::Connecting => TunnelState::Connecting,
            Phase::Up(session) => session.state(),
            Phase::Closing => TunnelState::Closing,
        };
        match &self.phase {
            Phase::Waiting { .. } | Phase::Refused { .. } => {}
            Phase::Up(session) => {
                self.progress.next_attempt = session.next_request().map(|retry| retry.time);
            }
            Phase::Connecting | Phase::Closing => self.progress.next_attempt = None,
        }
        if !self.is_connected() {
            self.progress.verified = Verified::No;
        }
        if state != self.progress.state {
            self.progress.state = state;
            self.progress.since = now.time;
        }
    }
}

#[cfg(test)]
mod tests;

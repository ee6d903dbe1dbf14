//! Tells what becomes of a host: to whoever asks for the status, and to the log.
//!
//! The log hears of a failure once; while the same one repeats itself, it is for those who look closer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::store::ids::HostId;
use crate::supervisor::tunnels::status::{Progress, TunnelState, Verified};
use crate::supervisor::tunnels::wanted::Wanted;

/// A host's progress, as its task saw it last.
#[derive(Clone, Debug)]
pub(in crate::supervisor::tunnels) struct Shared(Arc<Mutex<Progress>>);

impl Shared {
    pub(in crate::supervisor::tunnels) fn new(progress: Progress) -> Self {
        Self(Arc::new(Mutex::new(progress)))
    }

    pub(in crate::supervisor::tunnels) fn get(&self) -> Progress {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, progress: Progress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

/// How loudly a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loudness {
    /// Nothing helps but the operator.
    Error,
    /// Worth knowing.
    Warning,
    /// Known already.
    Debug,
}

/// Which failure was told last.
#[derive(Debug, Default)]
struct Told(Option<String>);

impl Told {
    fn loudness(&mut self, state: TunnelState, failure: &str) -> Loudness {
        if self.0.as_deref() == Some(failure) {
            return Loudness::Debug;
        }
        self.0 = Some(failure.to_owned());
        if state == TunnelState::Refused {
            Loudness::Error
        } else {
            Loudness::Warning
        }
    }

    /// All is well: the next failure is news, even if it is the same. Whether one was told.
    fn reset(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Belongs to the task of one host.
#[derive(Debug)]
pub(in crate::supervisor::tunnels) struct Reporter {
    host: HostId,
    shared: Shared,
    changed: watch::Sender<()>,
    last: Progress,
    told: Told,
}

impl Reporter {
    pub(in crate::supervisor::tunnels) fn new(
        host: HostId,
        shared: Shared,
        changed: watch::Sender<()>,
    ) -> Self {
        Self {
            last: shared.get(),
            host,
            shared,
            changed,
            told: Told::default(),
        }
    }

    /// Tells what is new since the last call.
    pub(super) fn publish(&mut self, progress: &Progress, wanted: &Wanted) {
        if *progress == self.last {
            return;
        }
        if progress.last_error_at != self.last.last_error_at
            && let Some(failure) = &progress.last_error
        {
            self.tell_failure(progress, failure, wanted);
        }
        if progress.state != self.last.state {
            self.tell_state(progress, wanted);
        }
        if progress.state == TunnelState::Up {
            self.tell_recovery(progress, wanted);
        }
        self.shared.set(progress.clone());
        if !is_routine(&self.last, progress) {
            self.changed.send_replace(());
        }
        self.last = progress.clone();
    }

    fn tell_failure(&mut self, progress: &Progress, failure: &str, wanted: &Wanted) {
        let (host, address, agents) = (&self.host, &wanted.ssh, listed(wanted));
        let next_attempt = progress.next_attempt.map(tracing::field::display);
        match self.told.loudness(progress.state, failure) {
            Loudness::Error => {
                tracing::error!(%host, %address, agents, next_attempt, "the tunnel is refused: {failure}");
            }
            Loudness::Warning => {
                tracing::warn!(%host, %address, agents, next_attempt, "the tunnel fails: {failure}");
            }
            Loudness::Debug => {
                tracing::debug!(%host, %address, agents, next_attempt, "the tunnel still fails: {failure}");
            }
        }
    }

    /// Nobody can tell better than a probe; where the host forbids them, the connection has to do.
    fn tell_recovery(&mut self, progress: &Progress, wanted: &Wanted) {
        let (host, address) = (&self.host, &wanted.ssh);
        if progress.last_verified != self.last.last_verified {
            if self.told.reset() {
                tracing::info!(%host, %address, "the trouble is over: requests reach the gateway");
            }
        } else if progress.verified == Verified::NotPermitted {
            self.told.reset();
        }
    }

    fn tell_state(&self, progress: &Progress, wanted: &Wanted) {
        let (host, address, agents) = (&self.host, &wanted.ssh, listed(wanted));
        match progress.state {
            TunnelState::Up => {
                tracing::info!(%host, %address, agents, "the tunnel is up");
            }
            TunnelState::Closing => {
                tracing::info!(%host, %address, agents, "the tunnel closes");
            }
            state @ (TunnelState::Waiting
            | TunnelState::Refused
            | TunnelState::Connecting
            | TunnelState::PortHeld) => {
                tracing::debug!(%host, %address, agents, "the tunnel is {state}");
            }
        }
    }
}

/// Whether nothing happened but that one more probe passed: a thousand hosts do so many times a second.
fn is_routine(before: &Progress, now: &Progress) -> bool {
    let still = Progress {
        last_verified: now.last_verified,
        ..before.clone()
    };
    before.last_verified.is_some() && still == *now
}

/// The agents of a host, in one field.
fn listed(wanted: &Wanted) -> String {
    let agents = wanted.agents();
    let ids: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
    ids.join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_failure_is_told_once_until_it_is_another_or_all_was_well() {
        use Loudness::{Debug, Error, Warning};
        let mut told = Told::default();
        let mut waiting = |failure| told.loudness(TunnelState::Waiting, failure);
        assert_eq!(
            ["a", "a", "a", "b", "b", "a"].map(&mut waiting),
            [Warning, Debug, Debug, Warning, Debug, Warning]
        );
        assert!(told.reset());
        assert!(!told.reset());
        assert_eq!(told.loudness(TunnelState::Refused, "a"), Error);
        assert_eq!(told.loudness(TunnelState::Refused, "a"), Debug);
    }

    #[test]
    fn probes_that_pass_are_no_news_after_the_first() {
        let since: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let before = Progress::new(since);
        let verified = |verified, seconds| Progress {
            verified,
            last_verified: Timestamp::from_second(seconds).ok(),
            ..before.clone()
        };
        let first = verified(Verified::Yes, 1);
        assert!(!is_routine(&before, &first));
        assert!(is_routine(&first, &verified(Verified::Yes, 2)));
        assert!(!is_routine(&first, &verified(Verified::No, 1)));
        assert!(!is_routine(
            &verified(Verified::No, 1),
            &verified(Verified::Yes, 2)
        ));
    }
}

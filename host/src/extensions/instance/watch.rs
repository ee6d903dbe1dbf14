//! Watches an instance from outside its store: whatever the guest does, or does not do, it takes no longer than it may.
//!
//! A guest can keep its store to itself, by a call that blocks: then nothing inside is polled any more, and only this notices.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Exit, START_DEADLINE, STOP_DEADLINE, Signals};
use crate::extensions::exchange::Tether;
use crate::extensions::policy;
use crate::extensions::state::RequestId;

/// How long an instance is waited for, whatever its policy says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// For its `start`.
    start: Duration,
    /// For its end, once it is told.
    stop: Duration,
    /// For a guest to notice that nobody waits for its answer any more.
    notice: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            start: START_DEADLINE,
            stop: STOP_DEADLINE,
            notice: NOTICE,
        }
    }
}

const NOTICE: Duration = Duration::from_secs(1);

/// Why an instance is to take no more requests, though it has not ended.
#[derive(Debug)]
pub(in crate::extensions) enum Overdue {
    /// It did not answer this request within the time that it has for one.
    Request(RequestId, Duration),
    /// It did not end an answer in time.
    Response(Duration),
    /// It let a request wait for that long without taking it.
    Stuck(Duration),
}

impl fmt::Display for Overdue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = match self {
            Self::Request(id, timeout) => {
                write!(formatter, "it did not answer the request {id:016x} in time")?;
                timeout
            }
            Self::Response(timeout) => {
                formatter.write_str("it did not end an answer in time, which was cut off")?;
                timeout
            }
            Self::Stuck(timeout) => {
                formatter
                    .write_str("it has stopped taking requests: it blocks in a call of its own")?;
                timeout
            }
        };
        let limit = policy::limit("request_timeout_seconds", timeout.as_secs_f64());
        write!(formatter, ": {limit}")
    }
}

/// What is known of one instance outside its store.
pub(super) struct Watch {
    times: Times,
    timeout: Option<Duration>,
    pub(super) tether: Arc<Tether>,
    started: Notify,
    stopping: Notify,
    retired: AtomicBool,
    pending: Mutex<Pending>,
    /// There is a deadline where there was none, or, in a retired instance, one less.
    changed: Notify,
}

#[derive(Default)]
struct Pending {
    /// Of the requests that the guest has not answered; the end of answers that it streams is not among them.
    deadlines: BTreeSet<(Instant, RequestId)>,
    /// Somebody waits for the first of them.
    is_awaited: bool,
}

/// A request that the guest has not answered yet.
pub(super) struct Unanswered<'a> {
    watch: &'a Watch,
    entry: Option<(Instant, RequestId)>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            self.watch.pending().deadlines.remove(entry);
            if self.watch.is_retired() {
                self.watch.changed.notify_one();
            }
        }
    }
}

impl Watch {
    pub(super) fn new(timeout: Option<Duration>, times: Times) -> Self {
        Self {
            times,
            timeout,
            tether: Arc::default(),
            started: Notify::new(),
            stopping: Notify::new(),
            retired: AtomicBool::new(false),
            pending: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// `start` has succeeded.
    pub(super) fn started(&self) {
        self.started.notify_one();
    }

    /// `stop` is about to be called.
    pub(super) fn stopping(&self) {
        self.stopping.notify_one();
    }

    /// The instance is to take no more requests: another one does.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Notes a request until what this returns is dropped.
    pub(super) fn admit(&self, id: RequestId, deadline: Option<Instant>) -> Unanswered<'_> {
        let entry = deadline.map(|deadline| (deadline, id));
        if let Some(entry) = entry {
            let mut pending = self.pending();
            pending.deadlines.insert(entry);
            if std::mem::take(&mut pending.is_awaited) {
                self.changed.notify_one();
            }
        }
        Unanswered { watch: self, entry }
    }

    /// Returns when the instance must end, with how it ended. `stuck` says that it does not take what waits for it; `retire` is
    /// told when it is to take no more, which may be long before it ends.
    pub(super) async fn run(
        &self,
        signals: &Signals,
        stuck: &CancellationToken,
        retire: oneshot::Sender<Overdue>,
    ) -> Exit {
        tokio::select! {
            () = self.started.notified() => {}
            () = sleep(self.times.start) => {
                return Exit::NotStarted(format!("it took longer than {:?}", self.times.start));
            }
            () = self.told_to_stop(signals) => {
                return Exit::NotStarted("it was to end before it had started".to_owned());
            }
        }
        let timeout = self.timeout.unwrap_or_default();
        let reason = tokio::select! {
            id = self.overdue() => Overdue::Request(id, timeout),
            () = self.tether.blamed() => Overdue::Response(timeout),
            () = stuck.cancelled() => Overdue::Stuck(timeout),
            () = self.out_of_time(signals) => return Exit::CutOff,
        };
        self.retired.store(true, Ordering::Relaxed);
        let is_stuck = matches!(reason, Overdue::Stuck(_));
        // Nobody listens when the worker ends, too.
        let _ = retire.send(reason);
        // Nothing in it gets on any more.
        if !is_stuck {
            tokio::select! {
                () = self.others_done() => {}
                () = sleep(timeout + self.times.notice) => {}
                () = self.out_of_time(signals) => {}
            }
        }
        Exit::Retired
    }

    /// Completes with a request that the guest should have answered.
    async fn overdue(&self) -> RequestId {
        loop {
            let first = {
                let mut pending = self.pending();
                let first = pending.deadlines.first().copied();
                pending.is_awaited = first.is_none();
                first
            };
            match first {
                None => self.changed.notified().await,
                // What comes in later is due later.
                Some((deadline, id)) if deadline + self.times.notice <= Instant::now() => {
                    return id;
                }
                Some((deadline, _)) => sleep_until(deadline + self.times.notice).await,
            }
        }
    }

    /// Completes when nothing is left of which something may still become.
    async fn others_done(&self) {
        loop {
            let last = self.pending().deadlines.last().copied();
            let Some((deadline, _)) =
                last.filter(|(last, _)| *last + self.times.notice > Instant::now())
            else {
                break;
            };
            tokio::select! {
                () = sleep_until(deadline + self.times.notice) => {}
                () = self.changed.notified() => {}
            }
        }
        self.tether.all_closed().await;
    }

    /// Completes when the instance should have ended.
    async fn out_of_time(&self, signals: &Signals) {
        tokio::select! {
            () = self.told_to_stop(signals) => {}
            () = async {
                self.stopping.notified().await;
                sleep(self.times.stop).await;
            } => {}
        }
    }

    /// Completes when the instance was told long enough ago that it is to end soon.
    async fn told_to_stop(&self, signals: &Signals) {
        signals.stop.cancelled().await;
        sleep(self.times.stop).await;
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);
    const LONG: Duration = Duration::from_secs(3600);

    struct Watched {
        watch: Arc<Watch>,
        signals: Signals,
        stuck: CancellationToken,
        retired: oneshot::Receiver<Overdue>,
        exit: tokio::task::JoinHandle<Exit>,
    }

    /// An instance that is waited for for ever, but for one of these.
    fn watched(start: Duration, stop: Duration) -> Watched {
        let times = Times {
            start,
            stop,
            notice: SHORT,
        };
        let watch = Arc::new(Watch::new(Some(LONG), times));
        let (signals, stuck) = (Signals::default(), CancellationToken::new());
        let (retire, retired) = oneshot::channel();
        let exit = tokio::spawn({
            let (watch, signals, stuck) = (Arc::clone(&watch), signals.clone(), stuck.clone());
            async move { watch.run(&signals, &stuck, retire).await }
        });
        Watched {
            watch,
            signals,
            stuck,
            retired,
            exit,
        }
    }

    fn started() -> Watched {
        let watched = watched(LONG, LONG);
        watched.watch.started();
        watched
    }

    fn due_in(time: Duration) -> Option<Instant> {
        Some(Instant::now() + time)
    }

    #[tokio::test]
    async fn an_instance_that_does_not_start_is_given_up() {
        let watched = watched(SHORT, LONG);
        assert!(matches!(watched.exit.await.unwrap(), Exit::NotStarted(_)));
    }

    #[tokio::test]
    async fn who_answers_in_time_is_not_blamed() {
        let watched = started();
        drop(watched.watch.admit(1, due_in(SHORT)));
        let _overdue = watched.watch.admit(2, due_in(SHORT * 2));
        let reason = watched.retired.await.unwrap();
        assert!(matches!(reason, Overdue::Request(2, _)), "{reason}");
    }

    #[tokio::test]
    async fn an_overdue_request_retires_the_instance_and_the_others_finish_first() {
        let watched = started();
        let _overdue = watched.watch.admit(7, due_in(SHORT));
        let other = watched.watch.admit(8, due_in(LONG));
        let reason = watched.retired.await.unwrap();
        assert!(matches!(reason, Overdue::Request(7, _)), "{reason}");
        let limit = "`request_timeout_seconds = 3600`";
        assert!(reason.to_string().contains(limit), "{reason}");
        assert!(watched.watch.is_retired());
        assert!(!watched.exit.is_finished());
        drop(other);
        assert!(matches!(watched.exit.await.unwrap(), Exit::Retired));
    }

    #[tokio::test]
    async fn a_retired_instance_ends_when_all_of_its_requests_are_overdue() {
        let watched = started();
        let _first = watched.watch.admit(7, due_in(SHORT));
        let _second = watched.watch.admit(8, due_in(SHORT * 4));
        assert!(matches!(watched.exit.await.unwrap(), Exit::Retired));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_retires_the_instance() {
        let watched = started();
        watched.watch.tether.blame();
        let reason = watched.retired.await.unwrap();
        assert!(matches!(reason, Overdue::Response(_)), "{reason}");
        assert!(matches!(watched.exit.await.unwrap(), Exit::Retired));
    }

    #[tokio::test]
    async fn an_instance_that_takes_no_requests_ends_whatever_it_has_begun() {
        let watched = started();
        let _unanswered = watched.watch.admit(7, due_in(LONG));
        watched.stuck.cancel();
        let reason = watched.retired.await.unwrap();
        assert!(matches!(reason, Overdue::Stuck(_)), "{reason}");
        assert!(matches!(watched.exit.await.unwrap(), Exit::Retired));
    }

    #[tokio::test]
    async fn an_end_is_bounded_from_when_it_is_told_and_from_when_it_stops() {
        for is_told in [true, false] {
            let watched = watched(LONG, SHORT);
            watched.watch.started();
            if is_told {
                watched.signals.stop.cancel();
            } else {
                watched.watch.stopping();
            }
            assert!(matches!(watched.exit.await.unwrap(), Exit::CutOff));
        }
    }
}

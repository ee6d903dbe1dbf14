//! The instances of one extension, kept alive.
//!
//! Each worker is a queue and a task that runs one instance after another on it: a crashed instance is replaced at once, and
//! what waited in the queue goes to its replacement. A worker whose instances keep crashing answers `Unavailable` for a
//! while, twice as long each time, and then tries again.

mod queue;
mod tally;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub(super) use self::queue::Queue;
pub(super) use self::tally::{Counted, Tally};
use super::exchange::{Answer, ClientPresence, ExtensionRequest, Job};
use super::instance::{self, Blueprint, Exit, Signals};
use super::output;
use super::report::Activity;
use super::threads::ServingHandles;

/// How long requests in progress may take when an extension is replaced, where its policy sets no limit.
const LONGEST_DRAIN: Duration = Duration::from_secs(300);

/// More crashes than this within [`CRASH_WINDOW`] take a worker out of service.
const CRASHES_ALLOWED: usize = 8;
const CRASH_WINDOW: Duration = Duration::from_secs(10);
const SHORTEST_OUTAGE: Duration = Duration::from_secs(1);
const LONGEST_OUTAGE: Duration = Duration::from_secs(60);

/// One queue, one instance at a time.
struct Worker {
    queue: mpsc::Sender<Job>,
    waiting_jobs: Queue,
    waiting: AtomicUsize,
    out_of_service: Arc<AtomicBool>,
}

/// Where an extension's workers run, and how many there are.
#[derive(Clone, Debug)]
pub(super) enum Placement {
    /// One on each of the serving threads, for the requests that are served there.
    Serving(ServingHandles),
    /// As many as are granted, on threads that nobody's connections depend on.
    Apart { instances: NonZeroUsize },
}

/// Which kinds of routes an extension has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteKinds {
    /// Answered at once.
    pub(super) answering: bool,
    /// Answers stay open: these get instances of their own, which no other request shall bring down.
    pub(super) streaming: bool,
}

impl Placement {
    /// How many workers there are for routes that answer at once, and for those whose answers stay open.
    fn counts(&self, kinds: RouteKinds) -> (usize, usize) {
        let (answering, streaming) = match self {
            Self::Serving(threads) => (threads.count(), threads.count()),
            // Few requests stay open beside those that do not.
            Self::Apart { instances } if kinds.answering => (instances.get(), 1),
            Self::Apart { instances } => (instances.get(), instances.get()),
        };
        (
            if kinds.streaming && !kinds.answering {
                0
            } else {
                answering
            },
            if kinds.streaming { streaming } else { 0 },
        )
    }

    fn spawn(
        &self,
        number: usize,
        tasks: &TaskTracker,
        worker: impl Future<Output = ()> + Send + 'static,
    ) {
        match self {
            Self::Serving(threads) if let Some(thread) = threads.get(number) => {
                tasks.spawn_on(worker, thread);
            }
            Self::Serving(_) | Self::Apart { .. } => {
                tasks.spawn(worker);
            }
        }
    }
}

/// All workers of one extension.
pub(super) struct Workers {
    /// On serving threads, each at the place of its thread's number.
    answering: Vec<Worker>,
    streaming: Vec<Worker>,
    placement: Placement,
    signals: Signals,
    tally: Arc<Tally>,
    tasks: TaskTracker,
}

/// An extension whose instances do not come up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct StartError(String);

impl Workers {
    /// Starts the instances and waits until each has run its `start`.
    pub(super) async fn start(
        blueprint: &Blueprint,
        placement: Placement,
        kinds: RouteKinds,
    ) -> Result<Self, StartError> {
        let (signals, tasks) = (Signals::default(), TaskTracker::new());
        let tally = Arc::new(Tally::default());
        let mut first_starts = Vec::new();
        let mut spawn = |number| {
            let (worker, started) =
                Worker::spawn(blueprint.clone(), signals.clone(), &tally, |task| {
                    placement.spawn(number, &tasks, task);
                });
            first_starts.push(started);
            worker
        };
        let (answering, streaming) = placement.counts(kinds);
        let answering = (0..answering).map(&mut spawn).collect();
        let streaming = (0..streaming).map(&mut spawn).collect();
        let workers = Self {
            answering,
            streaming,
            placement,
            signals,
            tally,
            tasks,
        };
        for started in first_starts {
            let outcome = started
                .await
                .unwrap_or_else(|_| Err("it ended while starting".to_owned()));
            if let Err(reason) = outcome {
                workers.stop().await;
                return Err(StartError(reason));
            }
        }
        Ok(workers)
    }

    /// Has one instance answer the request.
    pub(super) async fn answer(&self, request: ExtensionRequest, streaming: bool) -> Answer {
        let workers = if streaming {
            &self.streaming
        } else {
            &self.answering
        };
        let here = match &self.placement {
            Placement::Serving(_) => ServingHandles::current()
                .and_then(|number| workers.get(number))
                .filter(|worker| worker.is_in_service()),
            Placement::Apart { .. } => None,
        };
        let worker = here.or_else(|| workers.iter().min_by_key(|worker| worker.load()));
        match worker {
            Some(worker) => worker.answer(request, &self.tally).await,
            None => Answer::Unavailable,
        }
    }

    /// Ends every open stream cleanly; requests go on being answered.
    pub(super) fn end_streams(&self) {
        self.signals.end_streams.cancel();
    }

    /// Takes no more, and gives back what no instance has begun with. Requests in progress finish; open streams are ended
    /// cleanly after `grace`. Then `stop` runs in each instance. Returns when all have ended.
    pub(super) async fn drain(&self, grace: Duration) {
        self.close();
        self.tasks.close();
        let end = async {
            tokio::time::sleep(grace).await;
            self.signals.end_streams.cancel();
            tokio::time::sleep(LONGEST_DRAIN).await;
            self.signals.stop.cancel();
            std::future::pending().await
        };
        tokio::select! {
            () = self.tasks.wait() => {}
            () = end => {}
        }
    }

    /// What its instances have done so far, and how they are.
    pub(super) fn activity(&self) -> Activity {
        self.tally.activity()
    }

    fn close(&self) {
        for worker in self.answering.iter().chain(&self.streaming) {
            worker.waiting_jobs.close();
            worker.waiting_jobs.answer_all(|job| {
                let _ = job.answer.send(Answer::Superseded(job.request));
            });
        }
        self.signals.close.cancel();
    }

    /// Answers what is in progress, runs `stop` in each instance, and ends them: all within seconds.
    pub(super) async fn stop(&self) {
        self.close();
        self.signals.end_streams.cancel();
        self.signals.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Worker {
    fn spawn(
        blueprint: Blueprint,
        signals: Signals,
        tally: &Arc<Tally>,
        spawn: impl FnOnce(Task),
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (queue, jobs) = Queue::new();
        let (started, first_start) = oneshot::channel();
        let out_of_service = Arc::new(AtomicBool::new(false));
        spawn(Box::pin(run_for_ever(
            blueprint,
            jobs.clone(),
            signals,
            Arc::clone(&out_of_service),
            Arc::clone(tally),
            started,
        )));
        (
            Self {
                queue,
                waiting_jobs: jobs,
                waiting: AtomicUsize::new(0),
                out_of_service,
            },
            first_start,
        )
    }

    fn is_in_service(&self) -> bool {
        !self.out_of_service.load(Ordering::Relaxed)
    }

    /// Fewest requests first, and a worker that is out of service last.
    fn load(&self) -> (bool, usize) {
        (
            self.out_of_service.load(Ordering::Relaxed),
            self.waiting.load(Ordering::Relaxed),
        )
    }

    async fn answer(&self, request: ExtensionRequest, tally: &Arc<Tally>) -> Answer {
        if self.out_of_service.load(Ordering::Relaxed) {
            return Answer::Unavailable;
        }
        let Some(counted) = tally.request(None) else {
            return Answer::Unavailable;
        };
        let _waiting = Waiting::enter(&self.waiting);
        let (answer, answered) = oneshot::channel();
        let job = Job {
            request,
            answer,
            client: ClientPresence::new(counted),
        };
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Answer::Unavailable,
            Err(TrySendError::Closed(job)) => return Answer::Superseded(job.request),
        }
        let answer = answered.await.unwrap_or(Answer::Failed);
        if matches!(answer, Answer::Failed) {
            tally.error();
        }
        answer
    }
}

/// Counts a request for as long as it waits for its answer, also when its client leaves first.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When instances crashed, and how long the next outage lasts.
struct CrashHistory {
    recent: VecDeque<Instant>,
    next_outage: Duration,
}

impl CrashHistory {
    fn new() -> Self {
        Self {
            recent: VecDeque::new(),
            next_outage: SHORTEST_OUTAGE,
        }
    }

    /// How long to stay out of service after one more crash at `now`, if at all.
    fn record(&mut self, now: Instant) -> Option<Duration> {
        if self
            .recent
            .back()
            .is_none_or(|last| now - *last > LONGEST_OUTAGE + CRASH_WINDOW)
        {
            self.next_outage = SHORTEST_OUTAGE;
        }
        self.recent.retain(|crash| now - *crash < CRASH_WINDOW);
        self.recent.push_back(now);
        if self.recent.len() <= CRASHES_ALLOWED {
            return None;
        }
        let outage = self.next_outage;
        self.next_outage = (outage * 2).min(LONGEST_OUTAGE);
        Some(outage)
    }
}

async fn run_for_ever(
    blueprint: Blueprint,
    jobs: Queue,
    signals: Signals,
    out_of_service: Arc<AtomicBool>,
    tally: Arc<Tally>,
    started: oneshot::Sender<Result<(), String>>,
) {
    let extension = blueprint.capabilities.extension_name();
    let mut started = Some(started);
    let mut crashes = CrashHistory::new();
    loop {
        let mut first_start = started.take();
        let mut up = None;
        let on_start = || {
            up = Some(tally.instance());
            if let Some(started) = first_start.take() {
                let _ = started.send(Ok(()));
            }
        };
        let reason = match instance::run(&blueprint, &jobs, &signals, on_start).await {
            Exit::Stopped => return,
            Exit::NotStarted(reason) => format!(
                "its start failed: {}",
                output::printable(&reason, output::LONGEST_LINE)
            ),
            Exit::Trapped(error) => {
                blueprint
                    .capabilities
                    .output()
                    .crashed(&format!("{error:?}"));
                // The root cause names the trap; the rest is a backtrace.
                let cause = error.root_cause().to_string();
                format!(
                    "it trapped: {}",
                    output::printable(&cause, output::LONGEST_LINE)
                )
            }
        };
        drop(up);
        if let Some(started) = first_start {
            let _ = started.send(Err(reason));
            return;
        }
        tally.crash(&reason);
        if signals.close.is_cancelled() {
            // Nobody waits for anything any more.
            tracing::error!(extension, "an instance crashed while it ended: {reason}");
            return;
        }
        match crashes.record(Instant::now()) {
            None => tracing::error!(extension, "an instance crashed and is replaced: {reason}"),
            Some(outage) => {
                tracing::error!(
                    extension,
                    "instances keep crashing, its routes answer 503 for {outage:?}: {reason}"
                );
                out_of_service.store(true, Ordering::Relaxed);
                tally.set_out_of_service(Timestamp::now().checked_add(outage).ok());
                refuse(&jobs, &signals, outage).await;
                out_of_service.store(false, Ordering::Relaxed);
            }
        }
    }
}

/// Answers everything that is queued with `Unavailable` until the outage is over.
async fn refuse(jobs: &Queue, signals: &Signals, outage: Duration) {
    let refusal = async {
        while let Some(job) = jobs.next().await {
            let _ = job.answer.send(Answer::Unavailable);
        }
    };
    tokio::select! {
        () = refusal => {}
        () = signals.close.cancelled() => {}
        () = tokio::time::sleep(outage) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_answers_get_workers_of_their_own() {
        let placement = Placement::Apart {
            instances: NonZeroUsize::MIN.saturating_add(2),
        };
        let counts = |answering, streaming| {
            placement.counts(RouteKinds {
                answering,
                streaming,
            })
        };
        assert_eq!(counts(true, false), (3, 0));
        assert_eq!(counts(true, true), (3, 1));
        assert_eq!(counts(false, true), (0, 3));
        assert_eq!(counts(false, false), (3, 0));
    }

    #[test]
    fn occasional_crashes_cause_no_outage() {
        let mut history = CrashHistory::new();
        let start = Instant::now();
        for n in 0..100 {
            assert_eq!(history.record(start + CRASH_WINDOW / 4 * n), None);
        }
    }

    #[test]
    fn outages_double_up_to_the_longest_and_start_over_after_a_quiet_time() {
        let mut history = CrashHistory::new();
        let mut now = Instant::now();
        for _ in 0..CRASHES_ALLOWED {
            assert_eq!(history.record(now), None);
        }
        let outages: Vec<_> = (0..8)
            .map(|_| history.record(now).unwrap().as_secs())
            .collect();
        assert_eq!(outages, [1, 2, 4, 8, 16, 32, 60, 60]);
        now += LONGEST_OUTAGE * 2;
        for _ in 0..CRASHES_ALLOWED {
            assert_eq!(history.record(now), None);
        }
        assert_eq!(history.record(now), Some(SHORTEST_OUTAGE));
    }
}

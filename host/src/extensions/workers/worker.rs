//! One queue, and one instance at a time that takes from it.
//!
//! A crashed instance is replaced at once, and what waited in the queue goes to its replacement; so is one that does not get on
//! with what it has, which then ends by itself. One whose instances keep crashing answers `Unavailable` for a while, twice as
//! long each time, and then tries again. While the extension is to end, nothing is replaced.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Level;

use super::crashes::CrashHistory;
use super::{Counted, Queue, Tally};
use crate::extensions::exchange::{Answer, ClientPresence, ExtensionRequest, Job, Patience};
use crate::extensions::instance::{self, Blueprint, Exit, Line, Overdue, Signals};
use crate::extensions::output::{LONGEST_LINE, OutputLog, printable};

pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What those who wait at a worker know of it.
pub(super) struct Worker {
    entrance: mpsc::Sender<Job>,
    queue: Queue,
    waiting: AtomicUsize,
    current: Arc<Current>,
}

/// The instance that takes from the queue now.
#[derive(Default)]
struct Current {
    out_of_service: AtomicBool,
    instance: Mutex<Option<(Instant, CancellationToken)>>,
}

impl Current {
    fn set(&self, stuck: CancellationToken) {
        *self.instance() = Some((Instant::now(), stuck));
    }

    /// A request has waited since `since`, and is not taken.
    fn blame(&self, since: Instant) {
        // One that has come since may not have had the time.
        if let Some((_, stuck)) = self.instance().as_ref().filter(|(up, _)| *up <= since) {
            stuck.cancel();
        }
    }

    fn instance(&self) -> std::sync::MutexGuard<'_, Option<(Instant, CancellationToken)>> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// `spawn` is given what keeps its instances running; the result of the first `start` follows.
    pub(super) fn spawn(
        blueprint: Blueprint,
        signals: Signals,
        tally: &Arc<Tally>,
        tasks: &TaskTracker,
        spawn: impl FnOnce(Task),
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (entrance, queue) = Queue::new();
        let (started, first_start) = oneshot::channel();
        let current = Arc::<Current>::default();
        let keeper = Keeper {
            blueprint,
            signals,
            queue: queue.clone(),
            tally: Arc::clone(tally),
            tasks: tasks.clone(),
            current: Arc::clone(&current),
            crashes: CrashHistory::new(),
        };
        spawn(Box::pin(keeper.run(started)));
        let worker = Self {
            entrance,
            queue,
            waiting: AtomicUsize::new(0),
            current,
        };
        (worker, first_start)
    }

    pub(super) fn is_in_service(&self) -> bool {
        !self.current.out_of_service.load(Ordering::Relaxed)
    }

    /// Fewest requests first, and a worker that is out of service last.
    pub(super) fn load(&self) -> (bool, usize) {
        (!self.is_in_service(), self.waiting.load(Ordering::Relaxed))
    }

    /// Takes no more requests, and gives back those that no instance has begun with.
    pub(super) fn close(&self) {
        self.queue.close();
        give_back(&self.queue);
    }

    pub(super) async fn answer(
        &self,
        request: ExtensionRequest,
        streaming: bool,
        patience: Option<Patience>,
        counted: Counted,
    ) -> Answer {
        if !self.is_in_service() {
            return Answer::Unavailable;
        }
        let _waiting = Waiting::enter(&self.waiting);
        let (answer, mut answered) = oneshot::channel();
        let job = Job {
            request,
            answer,
            client: ClientPresence::new(counted),
            streaming,
            patience: patience.clone(),
        };
        let taken_before = self.queue.taken();
        match self.entrance.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Answer::Unavailable,
            Err(TrySendError::Closed(job)) => return Answer::Superseded(job.request),
        }
        let in_time = match patience {
            None => None,
            Some(patience) => match timeout_at(patience.until, &mut answered).await {
                Ok(answer) => Some(answer),
                Err(_) if !patience.has_begun() => {
                    // One that has taken others meanwhile is busy, not stuck.
                    if self.queue.taken() == taken_before {
                        self.current.blame(patience.since);
                    }
                    return Answer::Overdue;
                }
                Err(_) if streaming => None,
                Err(_) => return Answer::Overdue,
            },
        };
        let answer = match in_time {
            Some(answer) => answer,
            None => answered.await,
        };
        answer.unwrap_or(Answer::Failed)
    }
}

fn give_back(queue: &Queue) {
    queue.answer_all(|job| {
        let _ = job.answer.send(Answer::Superseded(job.request));
    });
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

/// Keeps one instance running.
struct Keeper {
    blueprint: Blueprint,
    signals: Signals,
    queue: Queue,
    tally: Arc<Tally>,
    tasks: TaskTracker,
    current: Arc<Current>,
    crashes: CrashHistory,
}

/// What became of an instance.
enum Fate {
    Ended,
    Crashed(String),
    /// It takes no more requests, and ends by itself.
    Retired(Overdue),
}

impl Keeper {
    async fn run(mut self, started: oneshot::Sender<Result<(), String>>) {
        let mut started = Some(started);
        loop {
            let (what, reason) = match self.run_one(&mut started).await {
                Fate::Ended => break,
                Fate::Crashed(reason) => ("crashed", reason),
                Fate::Retired(reason) => ("does not get on", reason.to_string()),
            };
            if let Some(started) = started.take() {
                let _ = started.send(Err(reason));
                break;
            }
            if self.signals.close.is_cancelled() {
                let text = format!("an instance {what} while it ended: {reason}");
                self.output().note(Level::ERROR, &text);
                break;
            }
            self.replace(what, &reason).await;
        }
        give_back(&self.queue);
    }

    /// Runs an instance until another one has to take its place, if any.
    async fn run_one(&mut self, started: &mut Option<oneshot::Sender<Result<(), String>>>) -> Fate {
        let stuck = CancellationToken::new();
        let line = Line {
            signals: self.signals.clone(),
            queue: self.queue.clone(),
            tally: Arc::clone(&self.tally),
            stuck: stuck.clone(),
        };
        let (tell_up, up) = oneshot::channel();
        let (retire, retired) = oneshot::channel();
        let blueprint = self.blueprint.clone();
        // On the thread that this runs on.
        let mut running = self
            .tasks
            .spawn(instance::run(blueprint, line, tell_up, retire));
        tokio::select! {
            biased;
            Ok(()) = up => {}
            exit = &mut running => return self.fate(exit),
        }
        self.current.set(stuck);
        if let Some(started) = started.take() {
            let _ = started.send(Ok(()));
        }
        tokio::select! {
            biased;
            Ok(reason) = retired => Fate::Retired(reason),
            exit = running => self.fate(exit),
        }
    }

    fn output(&self) -> &Arc<OutputLog> {
        self.blueprint.capabilities.output()
    }

    fn fate(&self, exit: Result<Exit, JoinError>) -> Fate {
        match exit {
            Ok(Exit::Stopped | Exit::CutOff | Exit::Retired) => Fate::Ended,
            Ok(Exit::NotStarted(reason)) => Fate::Crashed(format!(
                "its start failed: {}",
                printable(&reason, LONGEST_LINE)
            )),
            Ok(Exit::Trapped(error)) => {
                self.output().crashed(&format!("{error:?}"));
                // The root cause names the trap; the rest is a backtrace.
                let cause = error.root_cause().to_string();
                let cause = printable(&cause, LONGEST_LINE);
                Fate::Crashed(format!("it trapped: {cause}"))
            }
            Err(error) => Fate::Crashed(format!("the host's own task failed: {error}")),
        }
    }

    /// Sees to it that another instance may start, now or after an outage.
    async fn replace(&mut self, what: &str, reason: &str) {
        self.tally.crash(reason);
        let Some(outage) = self.crashes.record(Instant::now()) else {
            let text = format!("an instance {what} and is replaced: {reason}");
            self.output().note(Level::ERROR, &text);
            return;
        };
        let text = format!(
            "instances keep crashing, its routes answer 503 for {outage:?}, and `mngr-latchkey extension reload {}` tries it at once: {reason}",
            self.blueprint.capabilities.extension_name()
        );
        self.output().note(Level::ERROR, &text);
        self.current.out_of_service.store(true, Ordering::Relaxed);
        self.tally
            .set_out_of_service(Timestamp::now().checked_add(outage).ok());
        refuse(&self.queue, &self.signals, outage).await;
        self.current.out_of_service.store(false, Ordering::Relaxed);
    }
}

/// Answers everything that is queued with `Unavailable` until the outage is over.
async fn refuse(queue: &Queue, signals: &Signals, outage: Duration) {
    let refusal = async {
        while let Some(job) = queue.next().await {
            let _ = job.answer.send(Answer::Unavailable);
        }
    };
    tokio::select! {
        () = refusal => {}
        () = signals.close.cancelled() => {}
        () = tokio::time::sleep(outage) => {}
    }
}

//! The instances of one extension, kept alive.
//!
//! Which of them answers a request, how many requests they may have in progress together, and how they all end: at once, or
//! after what they have begun with when another component takes their place.

mod crashes;
mod queue;
mod tally;
mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::TaskTracker;

pub(super) use self::queue::Queue;
pub(super) use self::tally::{Counted, Tally};
use self::worker::Worker;
use super::exchange::{Answer, ExtensionRequest, Patience};
use super::instance::{Blueprint, Signals};
use super::output::OutputLog;
use super::policy::{self, Limits};
use super::report::Activity;
use super::threads::ServingHandles;

/// How long requests in progress may take when an extension is replaced, where its policy sets no limit.
const LONGEST_DRAIN: Duration = Duration::from_secs(300);

/// Where an extension's workers run, and how many there are.
#[derive(Clone, Debug)]
pub(super) enum Placement {
    /// One on each of the serving threads, for the requests that are served there.
    Serving(ServingHandles),
    /// As many as are granted, on threads that nobody's connections depend on.
    Apart {
        instances: NonZeroUsize,
        threads: ServingHandles,
    },
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
            Self::Apart { instances, .. } if kinds.answering => (instances.get(), 1),
            Self::Apart { instances, .. } => (instances.get(), instances.get()),
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
            Self::Apart { threads, .. } if let Some(threads) = threads.apart() => {
                tasks.spawn_on(worker, threads);
            }
            Self::Serving(_) | Self::Apart { .. } => {
                tasks.spawn(worker);
            }
        }
    }
}

/// All workers of one extension.
pub(super) struct Workers {
    answering: Group,
    streaming: Group,
    placement: Placement,
    limits: Limits,
    output: Arc<OutputLog>,
    tally: Arc<Tally>,
    tasks: TaskTracker,
}

/// Workers that end together.
struct Group {
    /// On serving threads, each at the place of its thread's number.
    workers: Vec<Worker>,
    signals: Signals,
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
        let (tally, tasks) = (Arc::<Tally>::default(), TaskTracker::new());
        let mut first_starts = Vec::new();
        let mut group = |count| {
            let signals = Signals::default();
            let workers = (0..count).map(|number| {
                let spawn = |task| placement.spawn(number, &tasks, task);
                let (blueprint, signals) = (blueprint.clone(), signals.clone());
                let (worker, started) = Worker::spawn(blueprint, signals, &tally, &tasks, spawn);
                first_starts.push(started);
                worker
            });
            Group {
                workers: workers.collect(),
                signals,
            }
        };
        let (answering, streaming) = placement.counts(kinds);
        let (answering, streaming) = (group(answering), group(streaming));
        let workers = Self {
            answering,
            streaming,
            placement,
            limits: blueprint.capabilities.limits(),
            output: Arc::clone(blueprint.capabilities.output()),
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

    /// Has one instance answer the request, or gives it back when the extension is to end.
    pub(super) async fn answer(&self, request: ExtensionRequest, streaming: bool) -> Answer {
        let workers = if streaming {
            &self.streaming.workers
        } else {
            &self.answering.workers
        };
        let here = match &self.placement {
            Placement::Serving(_) => ServingHandles::current()
                .and_then(|number| workers.get(number))
                .filter(|worker| worker.is_in_service()),
            Placement::Apart { .. } => None,
        };
        let Some(worker) = here.or_else(|| workers.iter().min_by_key(|worker| worker.load()))
        else {
            return Answer::Unavailable;
        };
        let Some(counted) = self.tally.request(self.limits.concurrency) else {
            policy::report_reached(
                &self.output,
                "requests are refused, because as many are in progress as may be",
                "concurrency",
                self.limits.concurrency.unwrap_or_default(),
            );
            return Answer::Unavailable;
        };
        let patience = self.limits.request_timeout.map(Patience::of);
        let answer = worker.answer(request, streaming, patience, counted).await;
        if matches!(answer, Answer::Failed | Answer::Overdue) {
            self.tally.error();
        }
        answer
    }

    /// Ends every open stream cleanly; requests go on being answered.
    pub(super) fn end_streams(&self) {
        for group in [&self.answering, &self.streaming] {
            group.signals.end_streams.cancel();
        }
    }

    /// Takes no more, and gives back what no instance has begun with. Requests in progress finish, as long as they may take; open
    /// streams are ended cleanly after `grace`. Then `stop` runs in each instance. Returns when all have ended; dropping it
    /// changes only that nothing hurries them any more.
    pub(super) async fn drain(&self, grace: Duration) {
        self.close();
        self.tasks.close();
        let longest = self.limits.request_timeout.unwrap_or(LONGEST_DRAIN);
        let hurry = async {
            tokio::join!(
                async {
                    sleep(grace).await;
                    self.streaming.signals.end_streams.cancel();
                },
                async {
                    // On a streaming route a request may be in progress whose answer has not begun.
                    sleep(longest.max(grace)).await;
                    self.answering.end();
                    self.streaming.end();
                },
            );
            std::future::pending().await
        };
        tokio::select! {
            () = self.tasks.wait() => {}
            () = hurry => {}
        }
    }

    /// Answers what is in progress, runs `stop` in each instance, and ends them: all within seconds.
    pub(super) async fn stop(&self) {
        self.close();
        self.answering.end();
        self.streaming.end();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What its instances have done so far, and how they are.
    pub(super) fn activity(&self) -> Activity {
        self.tally.activity()
    }

    fn close(&self) {
        for group in [&self.answering, &self.streaming] {
            for worker in &group.workers {
                worker.close();
            }
            group.signals.close.cancel();
        }
    }
}

impl Group {
    /// Ends its streams cleanly, and then its instances, within seconds. It must be closed.
    fn end(&self) {
        self.signals.end_streams.cancel();
        self.signals.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_answers_get_workers_of_their_own() {
        let placement = Placement::Apart {
            instances: NonZeroUsize::MIN.saturating_add(2),
            threads: ServingHandles::default(),
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
}

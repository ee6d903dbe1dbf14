//! One long-lived component instance.
//!
//! Owns its store; runs many requests at once through component-model async; accepts the next one only when the store's
//! event loop has gone idle. A trap ends it and every request in it. Whatever the guest does, it ends within the times that are
//! given here and in its policy. Never shared between tasks.

mod handle;
mod watch;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use wasmtime::component::Accessor;

pub(super) use self::watch::Overdue;
use self::watch::{Times, Watch};
use super::capabilities::Capabilities;
use super::exchange::Job;
use super::policy::Limits;
use super::state::InstanceState;
use super::workers::{Queue, Tally};
use super::worlds::{Guest, GuestInstance};

/// How long an instance may take for its `start`.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How long an instance that is to end may take to finish its streams and run `stop`.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Why an instance ended.
pub(super) enum Exit {
    /// As told: its requests are answered and `stop` has run.
    Stopped,
    /// It was told to end and did not: what it still did is cut off.
    CutOff,
    /// It did not get on with what it had; another one was started when that was seen.
    Retired,
    /// `start` refused, or took too long; the text may be the guest's.
    NotStarted(String),
    /// A trap, the watchdog or the memory limit.
    Trapped(wasmtime::Error),
}

/// What an instance is made from.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) component: Guest,
    pub(super) capabilities: Capabilities,
}

/// What an instance is told from outside.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// End every open stream cleanly.
    pub(super) end_streams: CancellationToken,
    /// The queue is closed: answer what has been taken from it, and end.
    pub(super) close: CancellationToken,
    /// As `close`, within [`STOP_DEADLINE`].
    pub(super) stop: CancellationToken,
}

/// How an instance and whoever keeps it running speak with each other.
pub(super) struct Line {
    pub(super) signals: Signals,
    pub(super) queue: Queue,
    pub(super) tally: Arc<Tally>,
    /// Cancelled when it does not take what waits for it.
    pub(super) stuck: CancellationToken,
}

/// Lets the next request in only after the event loop has gone idle: without it, finished requests' leftovers pile up
/// under load until the store runs out of handles.
#[derive(Default)]
struct Gate(AtomicBool);

impl Gate {
    fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// True when it was closed.
    fn open(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// Whoever opens the gate polls again, so no waker is kept.
    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs an instance until it is told to stop or fails. `started` is told once `start` has succeeded; `retire`, when it is to take
/// no more requests though it has not ended.
pub(super) async fn run(
    blueprint: Blueprint,
    line: Line,
    started: oneshot::Sender<()>,
    retire: oneshot::Sender<Overdue>,
) -> Exit {
    let limits = blueprint.capabilities.limits();
    let watch = Watch::new(limits.request_timeout, Times::default());
    let exit = {
        let mut serving = pin!(serve(&blueprint, &line, limits, &watch, started));
        // Polled only when it has something to say.
        let mut watching =
            FuturesUnordered::from_iter([watch.run(&line.signals, &line.stuck, retire)]);
        tokio::select! {
            biased;
            exit = &mut serving => exit,
            Some(exit) = watching.next() => {
                // Before what serves is dropped.
                watch.tether.sever();
                exit
            }
        }
    };
    if matches!(exit, Exit::CutOff) {
        let text = format!(
            "an instance did not end within {STOP_DEADLINE:?}; what it still did is cut off"
        );
        blueprint.capabilities.output().note(Level::WARN, &text);
    }
    exit
}

/// Makes an instance and has it serve.
async fn serve(
    blueprint: &Blueprint,
    line: &Line,
    limits: Limits,
    watch: &Watch,
    started: oneshot::Sender<()>,
) -> Exit {
    let (mut store, turn) = InstanceState::store(
        blueprint.component.engine(),
        blueprint.capabilities.clone(),
        line.signals.end_streams.clone(),
    );
    store.data_mut().count_memory(Arc::clone(&line.tally));
    let instance = match blueprint.component.instantiate(&mut store).await {
        Ok(instance) => instance,
        Err(error) => return Exit::Trapped(error),
    };
    let service = Service {
        instance: &instance,
        capabilities: &blueprint.capabilities,
        limits,
        line,
        watch,
        gate: Gate::default(),
    };
    let ended = {
        let serve = store.run_concurrent(async |accessor| {
            let mut serve = pin!(service.serve(accessor, started));
            std::future::poll_fn(|context| {
                turn.restart();
                serve.as_mut().poll(context)
            })
            .await
        });
        let mut serve = pin!(serve);
        std::future::poll_fn(|context| {
            loop {
                let polled = serve.as_mut().poll(context);
                if polled.is_ready() || !service.gate.open() {
                    return polled;
                }
            }
        })
        .await
    };
    match ended {
        // It has ended its own streams, and has no part in those that it passed on.
        Ok(Ok(exit @ Exit::Stopped)) => exit,
        Ok(Ok(exit)) => {
            watch.tether.sever();
            exit
        }
        Ok(Err(error)) | Err(error) => {
            watch.tether.sever();
            Exit::Trapped(error)
        }
    }
}

/// What serving takes, apart from the store.
struct Service<'a> {
    instance: &'a GuestInstance,
    capabilities: &'a Capabilities,
    limits: Limits,
    line: &'a Line,
    watch: &'a Watch,
    gate: Gate,
}

impl Service<'_> {
    async fn serve(
        &self,
        accessor: &Accessor<InstanceState>,
        started: oneshot::Sender<()>,
    ) -> wasmtime::Result<Exit> {
        if let Err(reason) = self.instance.start(accessor).await? {
            return Ok(Exit::NotStarted(reason));
        }
        self.watch.started();
        let _up = self.line.tally.instance();
        // Nobody listens when the worker ends, too.
        let _ = started.send(());
        let mut in_progress = FuturesUnordered::new();
        let (mut open, mut closed) = (true, false);
        let mut closing = pin!(self.line.signals.close.cancelled());
        while open || !in_progress.is_empty() {
            tokio::select! {
                biased;
                // Only so that the queue is looked at again.
                () = &mut closing, if !closed => closed = true,
                Some(handled) = in_progress.next(), if !in_progress.is_empty() => handled?,
                job = self.next_job(), if open => match job {
                    Some(job) => {
                        self.gate.close();
                        in_progress.push(self.handle(accessor, job));
                    }
                    None => open = false,
                },
            }
        }
        tokio::select! {
            () = std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)) => {}
            // Tasks that nobody waits for are not waited for either.
            () = async {
                self.watch.tether.all_closed().await;
                sleep(STOP_DEADLINE).await;
            } => {}
        }
        self.watch.stopping();
        self.instance.stop(accessor).await?;
        Ok(Exit::Stopped)
    }

    /// What is to be answered next; none when there will be nothing.
    async fn next_job(&self) -> Option<Job> {
        std::future::poll_fn(|context| {
            if self.gate.is_open() && !self.watch.is_retired() {
                self.line.queue.poll_next(context)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

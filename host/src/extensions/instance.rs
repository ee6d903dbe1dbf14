//! One long-lived component instance.
//!
//! Owns its store; runs many requests at once through component-model async; accepts the next one only when the store's
//! event loop has gone idle. A trap ends it and every request in it. Never shared between tasks.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request as GuestRequest;

use super::answer_head::{self, Content, HeadError};
use super::capabilities::Capabilities;
use super::exchange::{Answer, Job, LimitedBody, ResponseBody, Severed};
use super::state::{InProgress, InstanceState};
use super::workers::Queue;
use super::worlds::{Context, Guest, GuestInstance, Outcome};

/// How long an instance may take for its `start`.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How long an instance that is to end may take to finish its streams and run `stop`.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Why an instance ended.
pub(super) enum Exit {
    /// As told: its requests are answered and `stop` has run.
    Stopped,
    /// `start` refused; the text is the guest's.
    NotStarted(String),
    /// A trap, the watchdog or the memory limit.
    Trapped(wasmtime::Error),
}

/// What an instance is made from.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) component: Guest,
    pub(super) capabilities: Capabilities,
    pub(super) body_limit: Option<u64>,
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

    /// Pending while closed. Whoever opens the gate polls again, so no waker is kept.
    async fn pass(&self) {
        std::future::poll_fn(|_| {
            if self.0.load(Ordering::Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Runs an instance until it is told to stop or fails. `started` is told once `start` has succeeded.
pub(super) async fn run(
    blueprint: &Blueprint,
    queue: &Queue,
    signals: &Signals,
    started: impl FnOnce(),
) -> Exit {
    let engine = blueprint.component.engine();
    let (mut store, turn) = InstanceState::store(
        engine,
        blueprint.capabilities.clone(),
        signals.end_streams.clone(),
    );
    let instance = match blueprint.component.instantiate(&mut store).await {
        Ok(instance) => instance,
        Err(error) => return Exit::Trapped(error),
    };
    let service = Service {
        instance: &instance,
        blueprint,
        signals,
        gate: Gate::default(),
        severed: Severed::default(),
    };
    let ended = {
        let serve = store.run_concurrent(async |accessor| {
            let mut serve = pin!(service.serve(accessor, queue, started));
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
    // One that stopped in order has ended its own streams, and has no part in those that it passed on.
    if !matches!(ended, Ok(Ok(Exit::Stopped))) {
        service.sever();
    }
    match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) | Err(error) => Exit::Trapped(error),
    }
}

/// What serving takes, apart from the store.
struct Service<'a> {
    instance: &'a GuestInstance,
    blueprint: &'a Blueprint,
    signals: &'a Signals,
    gate: Gate,
    severed: Severed,
}

impl Service<'_> {
    /// To be called before the store and the channels of its streams are dropped, or a cut body would look complete.
    fn sever(&self) {
        self.severed.store(true, Ordering::SeqCst);
    }

    async fn serve(
        &self,
        accessor: &Accessor<InstanceState>,
        queue: &Queue,
        started: impl FnOnce(),
    ) -> wasmtime::Result<Exit> {
        match tokio::time::timeout(START_DEADLINE, self.instance.start(accessor)).await {
            Ok(outcome) => {
                if let Err(reason) = outcome? {
                    return Ok(Exit::NotStarted(reason));
                }
            }
            Err(_) => {
                return Ok(Exit::NotStarted(format!(
                    "it took longer than {START_DEADLINE:?}"
                )));
            }
        }
        started();
        let mut in_progress = FuturesUnordered::new();
        let mut open = true;
        let mut closed = false;
        let mut closing = pin!(self.signals.close.cancelled());
        let mut overdue = pin!(async {
            self.signals.stop.cancelled().await;
            tokio::time::sleep(STOP_DEADLINE).await;
        });
        while open || !in_progress.is_empty() {
            tokio::select! {
                biased;
                () = &mut closing, if !closed => closed = true,
                () = &mut overdue => {
                    self.sever();
                    tracing::warn!(
                        extension = self.blueprint.capabilities.extension_name(),
                        "did not answer all requests within {STOP_DEADLINE:?}; they are cut off"
                    );
                    return Ok(Exit::Stopped);
                }
                Some(handled) = in_progress.next(), if !in_progress.is_empty() => handled?,
                job = async { self.gate.pass().await; queue.next().await }, if open => match job {
                    Some(job) => {
                        self.gate.close();
                        in_progress.push(self.handle(accessor, job));
                    }
                    None => open = false,
                },
            }
        }
        let finish = async {
            std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            self.instance.stop(accessor).await
        };
        tokio::select! {
            stopped = finish => stopped?,
            () = overdue => {
                self.sever();
                tracing::warn!(
                    extension = self.blueprint.capabilities.extension_name(),
                    "did not stop within {STOP_DEADLINE:?}; what it still did is cut off"
                );
            }
        }
        Ok(Exit::Stopped)
    }

    /// Answers one request. An error is a trap: it ends the instance.
    async fn handle(&self, accessor: &Accessor<InstanceState>, job: Job) -> wasmtime::Result<()> {
        let Job {
            request,
            mut answer,
            client,
        } = job;
        let id = request.id;
        let context = Context {
            permissions_config: request.permissions_config.to_string_lossy().into_owned(),
            request_id: format!("{id:016x}"),
        };
        let in_progress = InProgress {
            permissions_config: request.permissions_config,
            permissions_stamp: request.permissions_stamp,
            gone: client.gone.clone(),
            deadline: None,
        };
        let body_limited = request
            .request
            .map(|body| LimitedBody::new(body, self.blueprint.body_limit));
        let (guest_request, transmitted) = accessor.with(|mut access| {
            let state = access.get();
            state.admit(id, in_progress);
            let http = state.http();
            let (request, transmitted) = GuestRequest::from_http(http.hooks, body_limited);
            let transmitted: Transmitted = Box::pin(transmitted);
            wasmtime::Result::<_>::Ok((http.table.push(request)?, transmitted))
        })?;
        let mut handling = pin!(self.instance.handle(accessor, guest_request, context));
        let outcome = tokio::select! {
            biased;
            outcome = &mut handling => outcome?,
            () = answer.closed() => {
                // What the guest has sent for this client is abandoned.
                client.gone.cancel();
                handling.await?
            }
        };
        let response = match outcome {
            Ok(Outcome::Handled(response)) => {
                let response = accessor.with(|mut access| {
                    let response = access.get().http().table.delete(response)?;
                    response.into_http(&mut access, transmitted)
                })?;
                // The guest goes on writing: the request stays in progress until the client has the whole body, or has left.
                let mut response = response
                    .map(|body| ResponseBody::streamed(body, Arc::clone(&self.severed), client));
                match answer_head::check(&mut response, Content::Streamed) {
                    Ok(()) => {
                        let _ = answer.send(Answer::Response(response));
                        return Ok(());
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
            Ok(Outcome::Buffered(buffered)) => {
                whole_response(buffered.status, buffered.headers, buffered.body)
                    .map_err(|error| error.to_string())
            }
            Ok(Outcome::Declined) => {
                finish(accessor, id, answer, Answer::Declined);
                return Ok(());
            }
            Err(code) => Err(format!("{code:?}")),
        };
        let outcome = response.map_or_else(
            |error| {
                tracing::error!(
                    extension = self.blueprint.capabilities.extension_name(),
                    request = format_args!("{id:016x}"),
                    "the extension failed to answer: {error}"
                );
                Answer::Failed
            },
            Answer::Response,
        );
        finish(accessor, id, answer, outcome);
        Ok(())
    }
}

type Transmitted = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

fn finish(
    accessor: &Accessor<InstanceState>,
    id: u64,
    answer: oneshot::Sender<Answer>,
    outcome: Answer,
) {
    accessor.with(|mut access| access.get().requests.remove(&id));
    // Nobody may be waiting any more.
    let _ = answer.send(outcome);
}

fn whole_response(
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
) -> Result<http::Response<ResponseBody>, HeadError> {
    let mut response = http::Response::new(ResponseBody::from(Bytes::from(body)));
    (*response.status_mut(), *response.headers_mut()) = answer_head::parse(status, headers)?;
    answer_head::check(&mut response, Content::Whole)?;
    Ok(response)
}

//! What one component instance owns on the host side: its WASI context, its limits, and what it was granted.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::capabilities::{Capabilities, Egress, StandardStream};
use super::engine::TICK;
use super::keeping::{self, Keeping};
use super::policy;
use super::resources::Resources;
use super::workers::Tally;
use crate::store::stamp::Stamp;

/// Fewer entries of requests that have ended are not worth looking for.
const FEWEST_SWEPT: usize = 64;

/// A name for a request in progress, as `context.request-id` carries it.
pub(super) type RequestId = u64;

/// The request that `text` names. What is longer than a name is none: a guest could wait with very long ones.
pub(super) fn request_id_of(text: &str) -> Option<RequestId> {
    let fits = text.len() == 16;
    fits.then(|| RequestId::from_str_radix(text, 16).ok())?
}

/// The host's view of one request that the instance is answering.
pub(super) struct InProgress {
    pub(super) permissions_config: Arc<Path>,
    pub(super) permissions_stamp: Stamp,
    /// Cancelled when nobody waits for the response any more.
    pub(super) gone: CancellationToken,
    /// When the gateway gives up waiting for the end of the response; none where it never does.
    pub(super) deadline: Option<Instant>,
}

/// Counts the ticks that a guest has been running since its event loop was last polled.
///
/// Ticks of the guest, not wall time: an idle instance, a busy machine or a suspended laptop never looks like a spinning guest.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicU32>);

impl Turn {
    /// The event loop has been polled: the guest gives way.
    pub(super) fn restart(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// False when it has been running for longer than `longest`.
    fn tick(&self, longest: Duration) -> bool {
        TICK * self.0.fetch_add(1, Ordering::Relaxed) < longest
    }
}

/// The data of a store. Never shared: one instance, one store, one task.
pub(super) struct InstanceState {
    pub(super) capabilities: Capabilities,
    pub(super) requests: HashMap<RequestId, InProgress>,
    /// With more entries than this, `requests` is cleared of those whose client is gone.
    sweep_above: usize,
    /// Cancelled when the instance is to finish its streams and end.
    pub(super) draining: CancellationToken,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(super) egress: Egress,
    table: ResourceTable,
    resources: Resources,
}

impl InstanceState {
    /// A store for a new instance, with its memory limit and its watchdog, and the watchdog's turn counter.
    pub(super) fn store(
        engine: &Engine,
        capabilities: Capabilities,
        draining: CancellationToken,
    ) -> (Store<Self>, Turn) {
        let keeping = Keeping::of(&capabilities.limits());
        let wasi = WasiCtx::builder()
            .max_random_size(keeping::LONGEST_RANDOM)
            .stdout(StandardStream::new(Arc::clone(capabilities.output())))
            .stderr(StandardStream::new(Arc::clone(capabilities.output())))
            .build();
        let watchdog = capabilities.limits().watchdog;
        let resources = Resources::new(&capabilities.limits(), Arc::clone(capabilities.output()));
        let egress = Egress::new(capabilities.clone());
        let mut store = Store::new(
            engine,
            Self {
                capabilities,
                requests: HashMap::new(),
                sweep_above: FEWEST_SWEPT,
                draining,
                wasi,
                http: keeping.http(),
                egress,
                table: keeping.table(),
                resources,
            },
        );
        keeping.bound(&mut store);
        store.limiter(|state| &mut state.resources);
        let turn = Turn::default();
        let running = turn.clone();
        store.set_epoch_deadline(1);
        // Yielding alone would leave a spinning guest stuck for ever; trapping by wall time would kill idle instances.
        store.epoch_deadline_callback(move |_| {
            if running.tick(watchdog) {
                Ok(UpdateDeadline::Yield(1))
            } else {
                Err(wasmtime::format_err!(
                    "it ran for {} ms without returning to its event loop: {}",
                    watchdog.as_millis(),
                    policy::limit("watchdog_ms", watchdog.as_millis())
                ))
            }
        });
        (store, turn)
    }
}

impl InstanceState {
    /// Has the instance's memory counted among its extension's, for as long as it has any.
    pub(super) fn count_memory(&mut self, tally: Arc<Tally>) {
        self.resources.count(tally);
    }

    /// Notes that a request is in progress.
    pub(super) fn admit(&mut self, id: RequestId, request: InProgress) {
        if self.requests.len() > self.sweep_above {
            self.requests
                .retain(|_, request| !request.gone.is_cancelled());
            // Seldom enough to cost little beside what came in between.
            self.sweep_above = (2 * self.requests.len()).max(FEWEST_SWEPT);
        }
        self.requests.insert(id, request);
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.egress,
        }
    }
}

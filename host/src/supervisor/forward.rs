//! The supervisor as a whole process, from its lock to its end.
//!
//! Start: ownership of the directory, the gateway, its port in the record, then discovery and tunnels. SIGHUP restarts the
//! discovery alone. SIGINT and SIGTERM end everything in order, within `SHUTDOWN_DEADLINE`; a second one ends it at once.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::discovery::{Discovery, ObserveSettings};
use super::gateway::{GatewaySettings, GatewayStartError, SupervisedGateway};
use super::handlers::{DestructionHandler, DiscoveryHandler};
use super::memory::Memory;
use super::ownership::{Ownership, OwnershipError};
use super::status::Sources;
use super::tunnels::TunnelManager;
use crate::gateway::raise_open_files_limit;
use crate::logging::Log;
use crate::store::durable::StorageError;
use crate::store::paths::LatchkeyDirectory;

/// The port of 127.0.0.1 on an agent host that leads to the gateway.
pub const AGENT_SIDE_PORT: u16 = 1989;

/// Embedders kill a supervisor that takes ten seconds.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(9);
const LAST_DEADLINE: Duration = Duration::from_millis(500);
/// How long a deleted record may be missed.
const RECORD_CHECK: Duration = Duration::from_secs(2);
const TUNNELS_DEADLINE: Duration = Duration::from_secs(3);
const OBSERVE_DEADLINE: Duration = Duration::from_secs(5);

/// What a supervisor is told at its start.
#[derive(Clone, Debug)]
pub struct ForwardSettings {
    pub gateway: GatewaySettings,
    /// A path, or a name to look up on PATH.
    pub mngr_binary: PathBuf,
    /// Where mngr runs.
    pub home: PathBuf,
}

/// Why a supervisor ends with a failure.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("the asynchronous runtime cannot start: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("the discovery of agents cannot start: {0}")]
    Discovery(#[source] io::Error),
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    #[error(transparent)]
    Gateway(#[from] GatewayStartError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A process that may supervise its directory, and has not begun to.
#[derive(Debug)]
pub struct Forward {
    runtime: Runtime,
    signals: Signals,
    ownership: Ownership,
}

impl Forward {
    /// Takes `directory` for this process. From here on a signal ends it in order.
    ///
    /// # Errors
    /// When another supervisor runs, or the plugin data directory cannot be written to.
    pub fn take(directory: &LatchkeyDirectory) -> Result<Self, ForwardError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(ForwardError::Runtime)?;
        let signals = runtime
            .block_on(async { Signals::new() })
            .map_err(ForwardError::Signals)?;
        Ok(Self {
            runtime,
            signals,
            ownership: Ownership::take(directory)?,
        })
    }

    /// Gives the directory back.
    pub fn abandon(self) -> Result<(), StorageError> {
        self.ownership.release()
    }

    /// Supervises until SIGINT or SIGTERM. Blocks.
    ///
    /// # Errors
    /// When it cannot start. Once the gateway has served, nothing else ends it.
    pub fn run(mut self, settings: ForwardSettings, log: Log) -> Result<(), ForwardError> {
        raise_open_files_limit();
        let outcome =
            self.runtime
                .block_on(supervise(settings, log, self.ownership, &mut self.signals));
        // What was cut short is dropped, which kills children; a name that takes long to resolve shall not keep the process.
        self.runtime.shutdown_timeout(LAST_DEADLINE);
        outcome
    }
}

async fn supervise(
    settings: ForwardSettings,
    log: Log,
    mut ownership: Ownership,
    signals: &mut Signals,
) -> Result<(), ForwardError> {
    let started = tokio::select! {
        started = start_gateway(&settings.gateway, log) => started.map(Some),
        () = signals.end() => Ok(None),
    };
    let (gateway, memory) = match started {
        Ok(Some(started)) => started,
        Ok(None) => return Ok(ownership.release()?),
        Err(error) => {
            report(ownership.release());
            return Err(error);
        }
    };
    if let Err(error) = ownership.publish_port(Some(gateway.address().port())) {
        gateway.stop().await;
        report(ownership.release());
        return Err(error.into());
    }
    notify(&[NotifyState::Ready]);
    announce(gateway.address());

    let tunnels = TunnelManager::new(
        Handle::current(),
        settings.gateway.directory.plugin_data_dir(),
        memory,
    );
    let handlers = (
        DiscoveryHandler::new(tunnels.clone(), AGENT_SIDE_PORT, gateway.address()),
        DestructionHandler::new(tunnels.clone()),
    );
    let observe = ObserveSettings {
        mngr_binary: settings.mngr_binary,
        home: settings.home,
    };
    let discovery = match Discovery::start(observe, handlers) {
        Ok(discovery) => discovery,
        Err(error) => {
            gateway.stop().await;
            report(ownership.release());
            return Err(ForwardError::Discovery(error));
        }
    };
    let status = Sources {
        directory: settings.gateway.directory,
        pid: ownership.record().pid,
        started_at: ownership.record().started_at.parse().unwrap_or_default(),
        gateway_url: format!("http://{}", gateway.address()),
        gateway: gateway.status(),
        discovery: discovery.changes(),
        tunnels: tunnels.clone(),
    };
    let mut publishing = pin!(status.publish());
    tokio::select! {
        () = &mut publishing => {}
        () = keep_record(&ownership) => {}
        () = signals.end_or_reload(|| {
            tracing::info!("SIGHUP: the discovery of agents is started again");
            discovery.restart();
        }) => {}
    }

    notify(&[NotifyState::Stopping]);
    tracing::info!("stopping; once more ends it at once");
    // From here on nobody shall be sent to this gateway.
    report(ownership.publish_port(None));
    let stopping = async {
        tokio::join!(
            discovery.stop(OBSERVE_DEADLINE),
            tunnels.close(TUNNELS_DEADLINE),
            gateway.stop(),
        )
    };
    tokio::select! {
        _ = tokio::time::timeout(SHUTDOWN_DEADLINE, stopping) => {}
        () = &mut publishing => {}
        () = signals.end() => tracing::warn!("ending at once"),
    }
    Ok(ownership.release()?)
}

/// Writes the record again when somebody has deleted it: without it nobody finds this process. Never ends.
async fn keep_record(ownership: &Ownership) {
    let mut due = tokio::time::interval(RECORD_CHECK);
    loop {
        due.tick().await;
        match ownership.restore() {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the supervisor's record was gone, and is written again"),
            Err(error) => report(Err(error)),
        }
    }
}

/// What does not keep a supervisor from going on, or from ending.
fn report(outcome: Result<(), StorageError>) {
    if let Err(error) = outcome {
        tracing::warn!("other processes are not told the truth about this supervisor: {error}");
    }
}

async fn start_gateway(
    settings: &GatewaySettings,
    log: Log,
) -> Result<(SupervisedGateway, Arc<Memory>), ForwardError> {
    let memory = Arc::new(Memory::load(&settings.directory)?);
    let gateway = SupervisedGateway::start(settings.clone(), Arc::clone(&memory), log).await?;
    Ok((gateway, memory))
}

/// For a service manager, if one waits.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

fn announce(address: SocketAddr) {
    tracing::info!(
        "supervising: agents are found by mngr, and reach the gateway (http://{address}) at 127.0.0.1:{AGENT_SIDE_PORT} on \
         their hosts; `mngr-latchkey status` shows how they are"
    );
}

#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Completes at the next signal that asks for the end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The same; calls `reload` at each SIGHUP until then.
    async fn end_or_reload(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}

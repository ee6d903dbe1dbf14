//! The gateway as a child of the supervisor.
//!
//! The supervisor binds the port and keeps the socket; each child gets it as its standard input. So the port never changes,
//! and while a child is started again connections wait in the backlog instead of being refused; when that takes seconds, they
//! are answered `503` (`stand_in`). A child that ends, that does not get ready, or that stops answering (`health`) is replaced,
//! for ever, with growing pauses. Its log lines go to the supervisor's log.

mod health;
mod orphan;
mod process;
mod stand_in;
mod status;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::process::{Ended, GatewayProcess};
pub use self::status::{GatewayState, GatewayStatus};
use super::backoff::Backoff;
use super::memory::Memory;
use crate::logging::Log;
use crate::store::durable::StorageError;
use crate::store::paths::LatchkeyDirectory;
use crate::store::process::Identity;

/// A child may compile its components, on a machine that does other things too.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// The first restart is at once: most failures are over with the process that had them.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
/// A child that ran for so long is no sign that the next one will fail.
const STABLE: Duration = Duration::from_secs(60);
/// Without any success before them.
const MOST_FIRST_FAILURES: u32 = 5;
/// More connections than that may wait while no child accepts them.
const BACKLOG: u32 = 4096;

/// What every child is started with.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// This program.
    pub program: PathBuf,
    pub directory: LatchkeyDirectory,
    /// What health checks identify themselves with.
    pub password: SecretString,
    /// Options that say how much to log.
    pub verbosity: Vec<&'static str>,
}

/// Why there is no gateway to begin with.
#[derive(Debug, thiserror::Error)]
pub enum GatewayStartError {
    #[error("cannot listen on 127.0.0.1: {0}")]
    Bind(#[source] io::Error),
    #[error("the gateway does not start: {reason}; the log is in {}", log.display())]
    Child { reason: String, log: PathBuf },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A supervised gateway. Dropping it kills the child.
#[derive(Debug)]
pub struct SupervisedGateway {
    address: SocketAddr,
    status: watch::Receiver<GatewayStatus>,
    stop: CancellationToken,
    keeper: tokio::task::JoinHandle<()>,
}

impl SupervisedGateway {
    /// Ends what a crashed supervisor left, binds a free port of 127.0.0.1, and waits until the first child accepts.
    ///
    /// # Errors
    /// When the port cannot be bound, or the first child says that it cannot run: then the next could not either.
    pub async fn start(
        settings: GatewaySettings,
        memory: Arc<Memory>,
        log: Log,
    ) -> Result<Self, GatewayStartError> {
        orphan::reap(&settings, &memory).await?;
        let listener = bind().map_err(GatewayStartError::Bind)?;
        let address = listener.local_addr().map_err(GatewayStartError::Bind)?;
        let (publish, status) = watch::channel(GatewayStatus::starting());
        let stop = CancellationToken::new();
        let keeper = Keeper {
            settings,
            address,
            listener: Arc::new(listener),
            memory,
            log,
            status: publish,
            stop: stop.clone(),
        };
        let first = keeper.first().await?;
        let keeper = tokio::spawn(async move {
            let stand_in = stand_in::run(Arc::clone(&keeper.listener), keeper.status.subscribe());
            tokio::select! {
                () = keeper.keep(first) => {}
                () = stand_in => {}
            }
        });
        Ok(Self {
            address,
            status,
            stop,
            keeper,
        })
    }

    /// Where it listens, whatever happens to the child.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes with every change of the child.
    pub fn status(&self) -> watch::Receiver<GatewayStatus> {
        self.status.clone()
    }

    /// Lets requests in progress finish for a while, then ends the child.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // It ends by itself, within its own deadlines.
        let _ = (&mut self.keeper).await;
    }
}

impl Drop for SupervisedGateway {
    fn drop(&mut self) {
        // The child is dropped with its keeper, which kills it; after `stop` there is none left.
        self.keeper.abort();
    }
}

fn bind() -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)?.into_std()
}

/// The task that replaces children.
struct Keeper {
    settings: GatewaySettings,
    address: SocketAddr,
    listener: Arc<TcpListener>,
    memory: Arc<Memory>,
    log: Log,
    status: watch::Sender<GatewayStatus>,
    stop: CancellationToken,
}

impl Keeper {
    /// The first child that gets ready. One that says by its exit code that it cannot is the last.
    async fn first(&self) -> Result<GatewayProcess, GatewayStartError> {
        let mut failures = 0;
        loop {
            let ended = match self.spawn_ready().await {
                Ok(child) => return Ok(child),
                Err(ended) => ended,
            };
            failures += 1;
            if ended.is_refusal() || failures == MOST_FIRST_FAILURES {
                return Err(GatewayStartError::Child {
                    reason: ended.to_string(),
                    log: self.settings.directory.events_log(),
                });
            }
            tracing::warn!("the gateway is started again: {ended}");
            tokio::time::sleep(PAUSES.ceiling(failures)).await;
        }
    }

    /// Ends when the gateway is to stop, and has.
    async fn keep(&self, first: GatewayProcess) {
        let mut failures = 0;
        let mut current = Some(first);
        loop {
            let ended = match current.take() {
                Some(child) => {
                    let since = Instant::now();
                    let Some(ended) = self.watch(child).await else {
                        return;
                    };
                    if since.elapsed() >= STABLE {
                        failures = 0;
                    }
                    ended
                }
                None => tokio::select! {
                    ready = self.spawn_ready() => match ready {
                        Ok(child) => {
                            current = Some(child);
                            continue;
                        }
                        Err(ended) => ended,
                    },
                    () = self.stop.cancelled() => return,
                },
            };
            failures += 1;
            let pause = PAUSES.ceiling(failures);
            tracing::error!("the gateway is started again: {ended}");
            self.status
                .send_modify(|status| status.failed(&ended, pause));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// A child that accepts; or why there is none.
    async fn spawn_ready(&self) -> Result<GatewayProcess, Ended> {
        let mut child = GatewayProcess::spawn(&self.settings, &self.listener, &self.log)?;
        let identity = child.identity();
        self.status
            .send_modify(|status| status.started(child.pid()));
        self.remember(identity).await;
        match tokio::time::timeout(START_DEADLINE, child.ready()).await {
            Ok(Ok(())) => {
                tracing::info!(
                    pid = child.pid(),
                    "the gateway listens on http://{}",
                    self.address
                );
                self.status.send_modify(GatewayStatus::serves);
                Ok(child)
            }
            Ok(Err(ended)) => Err(ended),
            Err(_) => {
                child.kill().await;
                Err(Ended::NotReady(START_DEADLINE))
            }
        }
    }

    /// Why the child has to be replaced; none when the gateway was told to stop, and has.
    async fn watch(&self, mut child: GatewayProcess) -> Option<Ended> {
        let ended = tokio::select! {
            ended = child.ended() => ended,
            error = health::fails(self.address, &self.settings.password) => {
                child.kill().await;
                Ended::Unresponsive(error)
            }
            () = self.stop.cancelled() => {
                self.status.send_modify(GatewayStatus::stops);
                child.stop().await;
                self.remember(None).await;
                return None;
            }
        };
        Some(ended)
    }

    async fn remember(&self, gateway: Option<Identity>) {
        let memory = Arc::clone(&self.memory);
        let kept = tokio::task::spawn_blocking(move || memory.set_gateway(gateway)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!("after a crash this gateway would not be found: {error}");
        }
    }
}

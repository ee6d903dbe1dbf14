//! The server: accepting connections, and letting go of them in order.
//!
//! One task a connection, on one of the serving threads. On shutdown the gateway stops accepting, ends every follow
//! stream at once, lets the other requests finish until [`DRAIN_DEADLINE`], and runs the extensions' `stop`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::Settings;
use super::authentication::Authentication;
use super::connection::Connections;
use super::control::Control;
use super::denials::Denials;
use super::dispatch::Dispatcher;
use super::listener::{self, BindError};
use crate::extensions::{self, Extensions, LoadError, ServingHandles};
use crate::permissions::catalog::{Catalog, UnusableImport};
use crate::permissions::{BuiltinSchemas, Engine};
use crate::store::paths::{DirectoryError, LatchkeyDirectory};

/// How long requests in progress may take once the gateway is to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// More connections than this wait in the backlog.
const MOST_CONNECTIONS: usize = 16 * 1024;
/// How long to wait for a file descriptor when there are none left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a temporary file of a crashed process may lie about.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Extensions(#[from] LoadError),
    #[error(transparent)]
    Catalog(#[from] UnusableImport),
}

/// A gateway that listens and is ready to serve.
pub struct Gateway {
    listeners: Vec<TcpListener>,
    connections: Arc<Connections>,
    threads: ServingHandles,
    extensions: Arc<Extensions>,
    control: Option<Control>,
    denials: Arc<Denials>,
    latchkey_directory: LatchkeyDirectory,
}

impl Gateway {
    /// Binds, then loads and starts the extensions. When it returns, connections are already accepted into the backlog.
    ///
    /// # Errors
    /// When no address can be bound, or the extensions directory or an imported catalog cannot be used.
    pub async fn start(settings: Settings, threads: ServingHandles) -> Result<Self, GatewayError> {
        let latchkey_directory = LatchkeyDirectory::new(&settings.latchkey_directory)?;
        let listeners = listener::listen(settings.listen).await?;
        let catalog = catalog(&latchkey_directory).await?;
        let builtin = if settings.builtin_schemas {
            BuiltinSchemas::of(catalog.clone())
        } else {
            BuiltinSchemas::none()
        };
        let engine = Arc::new(Engine::new(builtin));
        let extensions = extensions::Settings {
            compile_cache: latchkey_directory.compile_cache_dir(),
            compiler: settings.compiler,
            latchkey_directory: settings.latchkey_directory,
            permissions_root: settings.permissions_root,
            minds_api_limits: settings.minds_api_limits,
            threads: threads.clone(),
            catalog,
        };
        let extensions = Arc::new(Extensions::load(extensions, Arc::clone(&engine)).await?);
        let control = Control::start(&latchkey_directory, Arc::clone(&extensions)).await;
        let authentication = Authentication::new(
            settings.password,
            settings.signing_key,
            &settings.default_permissions,
        );
        let denials = Arc::new(Denials::new(latchkey_directory.clone()));
        report(&denials).await;
        let dispatcher = Dispatcher::new(
            authentication,
            engine,
            settings.allow_missing_permissions,
            Arc::clone(&extensions),
            Arc::clone(&denials),
        );
        Ok(Self {
            listeners,
            connections: Arc::new(Connections::new(dispatcher)),
            threads,
            extensions,
            control,
            denials,
            latchkey_directory,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Serves until `shutdown` completes, then drains.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let extensions = Arc::clone(&self.extensions);
        // Apart from accepting: what components take to load shall keep no connection waiting.
        let watching =
            AbortOnDropHandle::new(tokio::spawn(async move { extensions.watch().await }));
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        {
            let accepting = futures::future::join_all(
                self.listeners
                    .iter()
                    .map(|listener| self.accept(listener, &graceful, &room)),
            );
            tokio::select! {
                _ = accepting => {}
                () = self.sweep() => {}
                () = shutdown => {}
            }
        }
        drop((self.listeners, self.control, watching));
        self.extensions.end_streams();
        if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                "requests that took longer than {DRAIN_DEADLINE:?} to finish are cut off"
            );
        }
        self.extensions.stop().await;
        report(&self.denials).await;
    }

    /// Clears away, now and then, what crashed writers left behind, and brings the log up to date. Never ends.
    async fn sweep(&self) {
        let mut due = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            due.tick().await;
            let directory = self.latchkey_directory.clone();
            // A failed sweep has lost nothing, and the next one is near.
            let _ = tokio::task::spawn_blocking(move || directory.sweep_temporary_files()).await;
            report(&self.denials).await;
        }
    }

    /// Never ends.
    async fn accept(
        &self,
        listener: &TcpListener,
        graceful: &GracefulShutdown,
        room: &Arc<Semaphore>,
    ) {
        loop {
            let Ok(permit) = Arc::clone(room).acquire_owned().await else {
                return;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream.into_std(),
                Err(error) => {
                    if is_exhaustion(&error) {
                        tracing::error!(
                            "cannot accept a connection: {error}; raise the limit of open files (ulimit -n)"
                        );
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            let connections = Arc::clone(&self.connections);
            let shutdown = graceful.watcher();
            let serving = async move {
                let served = match stream {
                    Ok(stream) => connections.serve(stream, shutdown).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = served {
                    tracing::error!("a connection cannot be served: {error}");
                }
                drop(permit);
            };
            self.threads.spawn(serving);
        }
    }
}

/// Says in the log what there is to say of denials.
async fn report(denials: &Arc<Denials>) {
    let denials = Arc::clone(denials);
    // It fails only if it panics, which is logged, and the next one is near.
    let _ = tokio::task::spawn_blocking(move || denials.report()).await;
}

/// The catalog in use, which the log names: what permissions mean depends on it.
async fn catalog(directory: &LatchkeyDirectory) -> Result<Catalog, UnusableImport> {
    let directory = directory.clone();
    let catalog = match tokio::task::spawn_blocking(move || Catalog::in_use(&directory)).await {
        Ok(catalog) => catalog?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    match catalog.origin() {
        Some(origin) => tracing::info!("the service catalog is {origin}"),
        None => tracing::info!("the service catalog is the built-in one"),
    }
    Ok(catalog)
}

/// Out of file descriptors or memory, as against a client that left before it was accepted.
fn is_exhaustion(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

//! A gateway as a whole process: runtime, signals, and what it tells the person who started it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Settings;
use super::server::{Gateway, GatewayError};
use super::supervised::{Parent, report_ready};
use crate::extensions::ServingThreads;

/// More would cost memory for their instances, and serve nobody: each answers tens of thousands of requests a second.
const MOST_SERVING_THREADS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Worker threads beyond the processors: where guests that spin hold every processor until their watchdog ends them, these
/// still see what arrives, and the kernel shares out the time.
const SPARE_WORKERS: usize = 2;

/// Why the process ends with a failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the asynchronous runtime cannot start: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("the gateway cannot start: {0}")]
    Gateway(#[from] GatewayError),
}

/// What a gateway runs for, and whom it tells that it does.
#[derive(Clone, Copy, Debug)]
pub enum Lifetime {
    /// A person: until a signal.
    UntilSignal,
    /// A supervisor: until a signal, or until that process ends.
    WithParent(Parent),
}

/// Runs a gateway until SIGINT or SIGTERM or the end of its parent, then drains it. Blocks.
///
/// # Errors
/// When it cannot start. Once it serves, nothing else ends it.
pub fn run(settings: Settings, lifetime: Lifetime) -> Result<(), RunError> {
    raise_open_files_limit();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads =
        ServingThreads::start(cores.min(MOST_SERVING_THREADS)).map_err(RunError::Runtime)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.get() + SPARE_WORKERS)
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let outcome = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
        let asks_for_password = settings.password.is_some();
        let gateway = tokio::select! {
            gateway = Gateway::start(settings, threads.handles()) => gateway?,
            () = first_of(&mut interrupt, &mut terminate) => return Ok(()),
        };
        let signal = first_of(&mut interrupt, &mut terminate);
        match lifetime {
            Lifetime::UntilSignal => {
                announce(&gateway.addresses(), asks_for_password);
                gateway.serve(signal).await;
            }
            Lifetime::WithParent(parent) => {
                report_ready();
                let ended = async {
                    tokio::select! {
                        () = signal => {}
                        () = parent.gone() => tracing::warn!("the supervisor has ended, and the gateway ends with it"),
                    }
                };
                gateway.serve(ended).await;
            }
        }
        Ok(())
    });
    // A write to a disk that hangs shall not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Raises the soft limit of open files to the hard one: every connection takes descriptors, and the soft limit is often kept
/// low for programs that cannot use many.
pub fn raise_open_files_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        limit.current = limit.maximum;
        // What cannot be raised is reported where it is felt.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

async fn first_of(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// For people; programs wait for the port. A closed stderr is no reason to stop.
fn announce(addresses: &[SocketAddr], asks_for_password: bool) {
    let mut stderr = io::stderr().lock();
    for address in addresses {
        let _ = writeln!(stderr, "The gateway listens on http://{address}");
    }
    let next = if asks_for_password {
        "Next, in another terminal: `mngr-latchkey create-agent-env` prints what an agent needs, the gateway's password \
         included; `mngr-latchkey admin-jwt` prints the token of whoever approves requests. Both take the same \
         --latchkey-directory."
    } else {
        "No password is set, so every local process may call it. Start it with --latchkey-directory, or set \
         LATCHKEY_GATEWAY_LISTEN_PASSWORD, to ask for one."
    };
    let _ = writeln!(stderr, "{next}");
}

//! Where the gateway's log goes: to stderr for people, and to a file for programs when one is named.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use crate::store::durable::{PRIVATE_FILE, StorageError};

/// Starts logging for the rest of the process.
pub(super) fn start(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let ours = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::OFF,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let console = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(levels(ours));
    let file = match &options.log_file {
        None => None,
        Some(path) => {
            let path = environment.expand(path)?;
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(PRIVATE_FILE)
                .open(&path)
                .map_err(|source| {
                    Failure::failed(StorageError::new("write the log file", &path, source))
                })?;
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .with_writer(Mutex::new(file));
            Some(layer.with_filter(levels(ours.max(LevelFilter::INFO))))
        }
    };
    tracing_subscriber::registry()
        .with(console)
        .with(file)
        .try_init()
        .map_err(|error| Failure::failed(format_args!("cannot start logging: {error}")))
}

/// `ours` for this program; of the libraries only what is wrong.
fn levels(ours: LevelFilter) -> Targets {
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target("mngr_latchkey", ours)
}

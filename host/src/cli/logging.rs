//! What the options and variables ask of the log.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use crate::logging::console::wants_colour;
use crate::logging::{LogGuard, Output, Wishes};
use crate::store::paths::LatchkeyDirectory;

const LEVELS: &str = "RUST_LOG";

/// Starts logging for the rest of the process: to stderr for people, and to `--log-file`.
pub(super) fn start(options: &Options, environment: &Environment) -> Result<LogGuard, Failure> {
    start_console(options, environment, None)
}

/// The same for what serves `directory`, a supervisor or a gateway alone, which keeps a log there too.
pub(super) fn start_service(
    options: &Options,
    environment: &Environment,
    directory: &LatchkeyDirectory,
) -> Result<LogGuard, Failure> {
    start_console(options, environment, Some(directory.events_log()))
}

/// The same for a child of a supervisor, which takes the log over from stderr.
pub(super) fn start_supervised(
    options: &Options,
    environment: &Environment,
) -> Result<LogGuard, Failure> {
    start_with(Output::Records, options, environment)
}

fn start_console(
    options: &Options,
    environment: &Environment,
    events: Option<PathBuf>,
) -> Result<LogGuard, Failure> {
    let log_file = options.log_file.as_deref();
    let output = Output::Console {
        in_colour: wants_colour(
            std::io::stderr().is_terminal(),
            environment.variable("NO_COLOR"),
            environment.variable("TERM"),
        ),
        log_file: log_file.map(|path| environment.expand(path)).transpose()?,
        events,
    };
    start_with(output, options, environment)
}

fn start_with(
    output: Output,
    options: &Options,
    environment: &Environment,
) -> Result<LogGuard, Failure> {
    let rust_log = environment
        .variable(LEVELS)
        .map(|text| text.to_string_lossy());
    let wishes = Wishes {
        quiet: options.quiet,
        verbose: options.verbose,
        rust_log: rust_log.as_deref(),
    };
    crate::logging::start(output, wishes).map_err(Failure::failed)
}

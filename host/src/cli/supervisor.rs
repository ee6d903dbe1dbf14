//! `supervisor`: one detached supervisor, for programs that embed it. Each subcommand prints the record of the one that runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::environment::Environment;
use super::failure::Failure;
use super::forward::{mngr_binary, program};
use super::mngr::NAME;
use super::options::Options;
use super::output;
use super::settings::Settings;
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;
use crate::supervisor::{ForwardSupervisor, SupervisorError};

/// Start, stop or refresh a supervisor that runs on its own
///
/// It survives whoever started it; its output goes to mngr_latchkey/latchkey_forward.log. It gets the environment of the command
/// that starts it.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,

    /// The mngr that finds agents
    #[arg(long, global = true, value_name = "FILE", default_value = NAME)]
    mngr_binary: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start one, unless one runs; print its record
    Ensure,
    /// Stop the one that runs, its gateway and its tunnels
    Stop,
    /// Stop the one that runs, and start another with the present environment; print its record
    Restart,
    /// Have the one that runs look for agents anew, or start one; print its record
    Bounce,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    directory.initialise().map_err(Failure::failed)?;
    let mut supervisor = ForwardSupervisor::new(directory, program()?)
        .latchkey_binary(settings.latchkey_binary)
        .mngr_binary(mngr_binary(&arguments.mngr_binary, environment)?);
    for option in options.verbosity() {
        supervisor = supervisor.option(option);
    }
    if let Some(log_file) = &options.log_file {
        supervisor = supervisor.option("--log-file").option(log_file);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::failed(format_args!(
                "the asynchronous runtime cannot start: {error}"
            ))
        })?;
    let outcome = runtime.block_on(act(&arguments.action, &supervisor));
    match outcome.map_err(Failure::failed)? {
        Some(record) => output::json_line(&json!(record)),
        None => Ok(()),
    }
}

async fn act(
    action: &Action,
    supervisor: &ForwardSupervisor,
) -> Result<Option<Record>, SupervisorError> {
    match action {
        Action::Ensure => supervisor.ensure_running().await.map(Some),
        Action::Restart => supervisor.restart().await.map(Some),
        Action::Bounce => supervisor.bounce().await.map(Some),
        Action::Stop => supervisor.stop().await.map(|_| None),
    }
}

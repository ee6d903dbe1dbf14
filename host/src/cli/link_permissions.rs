//! `link-permissions`: makes a handle a link to its host's permissions file.

use std::path::PathBuf;

use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::setup::Setup;
use crate::store::ids::HostId;
use crate::supervisor::agent_setup::finalize_host_permissions;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The host's id, as mngr create returns it
    #[arg(long, value_name = "ID")]
    host_id: String,

    /// The handle, as create-agent-env returns it
    #[arg(long, value_name = "FILE")]
    opaque_path: PathBuf,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let host = parse_host(&arguments.host_id)?;
    let handle = environment.expand(&arguments.opaque_path)?;
    finalize_host_permissions(&setup.directory, &handle, &host).map_err(|error| {
        if error.is_usage() {
            Failure::usage(error)
        } else {
            Failure::failed(error)
        }
    })
}

pub(super) fn parse_host(value: &str) -> Result<HostId, Failure> {
    HostId::parse(value)
        .map_err(|error| Failure::usage(format_args!("--host-id is not a valid host ID: {error}")))
}

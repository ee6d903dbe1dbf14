//! `register-agent`: lets an agent through to its own part of the API behind the proxy.

use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::link_permissions::parse_host;
use super::options::Options;
use super::setup::Setup;
use crate::store::ids::AgentId;
use crate::supervisor::agent_setup;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The id of the host that the agent runs on
    #[arg(long, value_name = "ID")]
    host_id: String,

    /// The agent's id
    #[arg(long, value_name = "ID")]
    agent_id: String,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let host = parse_host(&arguments.host_id)?;
    let agent = parse_agent(&arguments.agent_id)?;
    agent_setup::register_agent(&setup.directory, &host, &agent).map_err(Failure::failed)
}

pub(super) fn parse_agent(value: &str) -> Result<AgentId, Failure> {
    AgentId::parse(value).map_err(|error| {
        Failure::usage(format_args!("--agent-id is not a valid agent ID: {error}"))
    })
}

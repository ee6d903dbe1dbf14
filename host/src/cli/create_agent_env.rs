//! `create-agent-env`: a fresh handle, and the environment that lets an agent use it.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::output;
use super::setup::Setup;
use crate::supervisor::agent_setup::{Reach, prepare_agent};

pub(super) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let agent = prepare_agent(&setup.directory, &setup.key.signing_key(), &Reach::Tunnel)
        .map_err(Failure::failed)?;
    let variables: Map<String, Value> = agent
        .environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.expose_secret().into()))
        .collect();
    output::json_line(&json!({
        "env": variables,
        // A latchkey directory is valid UTF-8, so nothing is lost.
        "opaque_permissions_path": agent.opaque_permissions_path.to_string_lossy(),
    }))
}

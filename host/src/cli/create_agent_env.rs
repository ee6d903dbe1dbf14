//! `create-agent-env`: a fresh handle, and the environment that lets an agent use it.

use secrecy::ExposeSecret;
use serde_json::{Map, json};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::output;
use super::setup::Setup;
use crate::store::handles;
use crate::store::tokens::{gateway_password, mint_override};

/// Where the gateway is for an agent, whatever port it has on this machine.
const GATEWAY: &str = "http://127.0.0.1:1989";
/// Where a gateway on the agent's own machine would be.
const GATEWAY_SECONDARY: &str = "http://127.0.0.1:1990";

pub(super) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let key = setup.key.signing_key();
    let handle = handles::create(&setup.directory).map_err(Failure::failed)?;
    let token = mint_override(&key, &handle, Map::new()).map_err(Failure::failed)?;
    output::json_line(&json!({
        "env": {
            "LATCHKEY_GATEWAY": GATEWAY,
            "LATCHKEY_GATEWAY_SECONDARY": GATEWAY_SECONDARY,
            "LATCHKEY_GATEWAY_PASSWORD": gateway_password(&key).expose_secret(),
            "LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE": token,
            "LATCHKEY_DISABLE_COUNTING": "1",
        },
        // A latchkey directory is valid UTF-8, so nothing is lost.
        "opaque_permissions_path": handle.to_string_lossy(),
    }))
}

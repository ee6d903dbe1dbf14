//! `gateway-info`: where the supervised gateway listens, and its password.

use secrecy::ExposeSecret;
use serde_json::json;

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::output;
use super::setup::Setup;
use crate::store::record::Record;
use crate::store::tokens::gateway_password;

pub(super) const NOT_RUNNING: &str = "No ``mngr latchkey forward`` supervisor is running for this latchkey directory; \
    start one with ``mngr latchkey forward`` and ask again.";
const NOT_BOUND: &str = "The supervisor is running but has not finished binding its gateway port yet; retry in a moment.";

pub(super) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let record = Record::load(&setup.directory.record())
        .map_err(Failure::failed)?
        .filter(|record| record.is_alive(&setup.directory))
        .ok_or_else(|| Failure::failed(NOT_RUNNING))?;
    let port = record
        .gateway_port
        .ok_or_else(|| Failure::failed(NOT_BOUND))?;
    output::json_line(&json!({
        "url": format!("http://127.0.0.1:{port}"),
        "password": gateway_password(&setup.key.signing_key()).expose_secret(),
    }))
}

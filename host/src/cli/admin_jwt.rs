//! `admin-jwt`: a token for the file that allows everything.

use serde_json::Map;

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::output;
use super::setup::Setup;
use crate::store::tokens::mint_override;

pub(super) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let setup = Setup::open(options, environment)?;
    let path = setup.directory.admin_permissions();
    let token =
        mint_override(&setup.key.signing_key(), &path, Map::new()).map_err(Failure::failed)?;
    output::line(&token)
}

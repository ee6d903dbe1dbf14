//! `gateway create-jwt`: an override token for any permissions file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::environment::Environment;
use super::failure::Failure;
use super::gateway;
use super::options::Options;
use super::output;
use crate::store::tokens::mint_override;

/// Print an override token for a permissions file
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Absolute path of the permissions file
    path: PathBuf,

    /// JSON object of further claims, for instance {"exp": 4102444800}
    claims_json: Option<String>,

    /// Do not look whether the file exists
    #[arg(long)]
    no_validate: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let path = &arguments.path;
    if !arguments.no_validate && !path.exists() {
        return Err(Failure::failed(format_args!(
            "File does not exist: {}; create it, or pass --no-validate to skip this check",
            path.display()
        )));
    }
    let claims = match &arguments.claims_json {
        Some(claims) => parse(claims)?,
        None => Map::new(),
    };
    let (_, key) = gateway::open(options, environment)?;
    let token = mint_override(&key.signing_key(), path, claims).map_err(Failure::failed)?;
    output::line(&token)
}

fn parse(claims: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(claims) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(_) => Err(Failure::failed("Additional claims must be a JSON object.")),
        Err(error) => Err(Failure::failed(format_args!(
            "Additional claims must be valid JSON: {error}"
        ))),
    }
}

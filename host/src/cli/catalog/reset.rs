//! `catalog reset`: back to the built-in catalog.

use clap::Args;
use serde_json::json;

use super::TAKES_EFFECT;
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::permissions::catalog::reset;
use crate::store::paths::LatchkeyDirectory;

/// Return to the built-in catalog
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(directory: &LatchkeyDirectory, options: &Options) -> Result<(), Failure> {
    let removed = reset(directory).map_err(Failure::failed)?;
    if options.is_json() {
        return output::json_line(&json!({"reset": removed}));
    }
    output::line(&match removed {
        true => format!("The built-in catalog is in use again.\n{TAKES_EFFECT}"),
        false => "Nothing was imported: the built-in catalog is in use.".to_owned(),
    })
}

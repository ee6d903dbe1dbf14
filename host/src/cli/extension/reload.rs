//! `extension reload`: for directories that cannot be watched, and for extensions that shall be tried again at once.

use clap::Args;
use serde_json::json;

use super::gateways;
use super::gateways::none_runs;
use super::outcome::Taken;
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::store::paths::LatchkeyDirectory;

/// Have the gateways take what stands in the extensions directory
///
/// They do so by themselves where they can watch it. With NAME: that extension gets fresh instances even if it has not changed,
/// and is back if it was out of service after crashes. Fails when anything is refused, or no gateway runs.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The extension [default: all that have changed]
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let taken = Taken::new(gateways::reload(directory, arguments.name.as_deref())?);
    if options.is_json() {
        output::json_line(&json!({"gateways": taken.as_json()}))?;
    } else if !taken.is_empty() {
        output::text(&taken.as_text(directory))?;
    }
    if taken.is_empty() {
        return Err(Failure::failed(format_args!(
            "{}, so there is nothing to reload",
            none_runs(directory)
        )));
    }
    taken.verdict()
}

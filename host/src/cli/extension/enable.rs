//! `extension enable`: the end of `extension disable`.

use clap::Args;
use serde_json::json;

use super::outcome::Taken;
use super::{gateways, printable, subject};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::extensions::report::State;
use crate::store::paths::LatchkeyDirectory;

/// Switch an extension on again
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The extension
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let extension = subject::find(directory, &arguments.name)?;
    let name = &extension.name;
    let has_changed = extension.enable().map_err(Failure::failed)?;
    if !has_changed && !is_off_somewhere(directory, name)? {
        return if options.is_json() {
            output::json_line(
                &json!({"name": name, "disabled": false, "changed": false, "gateways": []}),
            )
        } else {
            output::line(&format!("{} was not switched off.", printable(name)))
        };
    }
    let taken = Taken::new(gateways::reload(directory, Some(name))?);
    if options.is_json() {
        output::json_line(&json!({
            "name": name, "disabled": false, "changed": has_changed, "gateways": taken.as_json(),
        }))?;
    } else {
        output::text(&format!(
            "{} is switched on.\n{}",
            printable(name),
            taken.as_text(directory)
        ))?;
    }
    taken.verdict()
}

/// Whether a gateway has not noticed that it was switched on: one that cannot watch the directory does not.
fn is_off_somewhere(directory: &LatchkeyDirectory, name: &str) -> Result<bool, Failure> {
    let answers = gateways::list(directory)?;
    answers.expect_all()?;
    let mut reports = answers.given.iter().flat_map(|(_, reports)| reports);
    Ok(reports.any(|report| report.name == name && report.state == State::Disabled))
}

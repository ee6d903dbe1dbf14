//! `extension remove`: takes an installed extension out of service and out of the directory.

use clap::Args;
use serde_json::json;

use super::outcome::Taken;
use super::{gateways, printable, subject};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::extensions::report::Origin;
use crate::store::paths::LatchkeyDirectory;

/// Remove an extension: its component, its policy, and the mark that it is switched off
///
/// What it has begun to answer it answers. Its output is kept. One that comes with the gateway can only be disabled.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The extension
    #[arg(value_name = "NAME")]
    name: String,

    /// Leave the policy, for when the extension comes back
    #[arg(long)]
    keep_policy: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let extension = subject::find(directory, &arguments.name)?;
    let name = &extension.name;
    if extension.origin == Origin::Bundled {
        return Err(Failure::failed(format_args!(
            "'{name}' comes with the gateway, which would put it back: `mngr-latchkey extension disable {name}` switches it off"
        )));
    }
    let removed = extension
        .remove(arguments.keep_policy)
        .map_err(Failure::failed)?;
    let answers = gateways::reload(directory, Some(name))?;
    let taken = Taken::of_removal(answers, &gateways::list(directory)?);
    if options.is_json() {
        output::json_line(&json!({
            "name": name, "removed": removed, "gateways": taken.as_json(),
        }))?;
    } else {
        let mut text = String::new();
        for file in &removed {
            text.push_str(&format!(
                "removed {}\n",
                printable(&file.display().to_string())
            ));
        }
        text.push_str(&taken.as_text(directory));
        output::text(&text)?;
    }
    taken.verdict()
}

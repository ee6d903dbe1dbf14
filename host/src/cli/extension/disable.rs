//! `extension disable`: switches an extension off until it is enabled again, also over restarts of the gateway.

use clap::Args;
use serde_json::json;

use super::outcome::Taken;
use super::{gateways, printable, subject};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::store::paths::LatchkeyDirectory;

/// Switch an extension off, also one that comes with the gateway
///
/// Its routes answer 404 until it is enabled again, also after a restart.
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
    let has_changed = extension.disable().map_err(Failure::failed)?;
    let taken = Taken::new(gateways::reload(directory, Some(name))?);
    if options.is_json() {
        output::json_line(&json!({
            "name": name, "disabled": true, "changed": has_changed, "gateways": taken.as_json(),
        }))?;
    } else {
        let now = match has_changed {
            true => "is",
            false => "was already",
        };
        let without = without(name).unwrap_or("Its routes answer 404");
        output::text(&format!(
            "{0} {now} switched off.\n{without}; `mngr-latchkey extension enable {0}` brings it back.\n{1}",
            printable(name),
            taken.as_text(directory)
        ))?;
    }
    taken.verdict()
}

/// What stops working without an extension that comes with the gateway.
fn without(name: &str) -> Option<&'static str> {
    match name {
        "minds-api-proxy" => Some(
            "/minds-api-proxy answers 404: agents do not reach the Minds API through the gateway",
        ),
        "permission-requests" => Some(
            "/permission-requests answers 404: agents cannot ask for permissions, and nobody can approve what they have asked for",
        ),
        "permissions" => Some(
            "/permissions answers 404: agents cannot see what they may do and could ask for, and rules are not changed by HTTP; what is \
             granted stays in force",
        ),
        _ => None,
    }
}

//! `catalog`: which services, scopes and permissions there are, what they match, and where they come from.

mod import;
mod list;
mod reset;
mod show;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::settings::Settings;
use crate::permissions::catalog::Catalog;
use crate::store::paths::LatchkeyDirectory;

/// How an import or its end is felt.
const TAKES_EFFECT: &str = "A gateway uses it from its next start; a running one is started anew by `mngr-latchkey supervisor restart`. The commands \
     of `permissions` and `catalog` use it at once.";

/// Look up services, scopes and permissions, or import them from detent
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Import(import::Arguments),
    Reset(reset::Arguments),
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    match &arguments.command {
        Command::List(_) => list::run(&directory, options),
        Command::Show(arguments) => show::run(arguments, &directory, options),
        Command::Import(arguments) => import::run(arguments, &directory, options, environment),
        Command::Reset(_) => reset::run(&directory, options),
    }
}

/// The catalog that a gateway would use if it were started now.
fn in_use(directory: &LatchkeyDirectory) -> Result<Catalog, Failure> {
    Catalog::in_use(directory).map_err(Failure::failed)
}

/// Where a catalog comes from, for people.
fn origin_in_words(catalog: &Catalog) -> String {
    match catalog.origin() {
        Some(origin) => printable(&origin.to_string()),
        None => format!("built in (mngr-latchkey {})", env!("CARGO_PKG_VERSION")),
    }
}

/// The same for programs.
fn origin_as_json(catalog: &Catalog) -> Value {
    match catalog.origin() {
        Some(origin) => json!({"kind": "imported", "path": origin.path, "version": origin.version,
            "imported_at": origin.imported_at, "counts": origin.counts}),
        None => json!({"kind": "built-in", "version": env!("CARGO_PKG_VERSION")}),
    }
}

/// Text of somebody else's without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            character if character.is_control() => ' ',
            character => character,
        })
        .collect()
}

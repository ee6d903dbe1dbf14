//! `extension`: what runs in the gateways of a latchkey directory, what stands in its extensions directory, and changes of both.
//!
//! A command that changes something changes files, which hold for every gateway, and then asks those that run to take it.

mod disable;
mod enable;
mod gateways;
mod inspect;
mod list;
mod logs;
mod outcome;
mod reload;
mod remove;
mod subject;
mod table;

use clap::{Args, Subcommand};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::settings::Settings;
use crate::extensions::output;
use crate::store::paths::LatchkeyDirectory;

/// A line of somebody else's is cut behind this, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// See which extensions run and what they may do, switch them off and on, reload and remove them
///
/// A gateway that was started without --latchkey-directory works on $LATCHKEY_DIRECTORY or ~/.latchkey: name that directory by
/// --latchkey-directory.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Inspect(inspect::Arguments),
    Enable(enable::Arguments),
    Disable(disable::Arguments),
    Reload(reload::Arguments),
    Remove(remove::Arguments),
    Logs(logs::Arguments),
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
        Command::Inspect(arguments) => inspect::run(arguments, &directory, options, environment),
        Command::Enable(arguments) => enable::run(arguments, &directory, options),
        Command::Disable(arguments) => disable::run(arguments, &directory, options),
        Command::Reload(arguments) => reload::run(arguments, &directory, options),
        Command::Remove(arguments) => remove::run(arguments, &directory, options),
        Command::Logs(arguments) => logs::run(arguments, &directory, options),
    }
}

/// Text of somebody else's as one line that neither a terminal obeys nor a reader is deceived by.
fn printable(text: &str) -> String {
    output::printable(text, LONGEST_LINE)
}

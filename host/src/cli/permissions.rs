//! `permissions`: what permissions files decide, and why.

mod check;
mod engine;
mod requests;
mod subject;

use clap::{Args, Subcommand};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;

/// Ask, explain, test and change what agents may do
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
}

pub(super) fn run(
    arguments: Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    match arguments.command {
        Command::Check(arguments) => check::run(&arguments, options, environment),
    }
}

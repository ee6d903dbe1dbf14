//! `permissions`: what permissions files decide, and why.

mod check;
mod engine;
mod explain;
mod lint;
mod observe;
mod requests;
mod subject;
mod test;

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
    Explain(explain::Arguments),
    Test(test::Arguments),
    Observe(observe::Arguments),
    Lint(lint::Arguments),
}

pub(super) fn run(
    arguments: Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    match arguments.command {
        Command::Check(arguments) => check::run(&arguments, options, environment),
        Command::Explain(arguments) => explain::run(&arguments, options, environment),
        Command::Test(arguments) => test::run(&arguments, options, environment),
        Command::Lint(arguments) => lint::run(&arguments, options, environment),
        Command::Observe(arguments) => observe::run(&arguments, options, environment),
    }
}

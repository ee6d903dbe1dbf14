//! `permissions`: what permissions files decide, and why.

mod check;
mod edit;
mod engine;
mod explain;
mod grant;
mod grants;
mod lint;
mod list;
mod observe;
mod requests;
mod revoke;
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
    List(list::Arguments),
    Grant(grant::Arguments),
    Revoke(revoke::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Lint(lint::Arguments),
    Observe(observe::Arguments),
}

pub(super) fn run(
    arguments: Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, options, environment),
        Command::Grant(arguments) => grant::run(&arguments, options, environment),
        Command::Revoke(arguments) => revoke::run(&arguments, options, environment),
        Command::Check(arguments) => check::run(&arguments, options, environment),
        Command::Explain(arguments) => explain::run(&arguments, options, environment),
        Command::Test(arguments) => test::run(&arguments, options, environment),
        Command::Lint(arguments) => lint::run(&arguments, options, environment),
        Command::Observe(arguments) => observe::run(&arguments, options, environment),
    }
}

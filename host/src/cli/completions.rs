//! `completions`: a script that completes this program's command line in a shell.

use clap::Args;
use clap_complete::Shell;

use super::failure::Failure;
use super::output;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = "mngr-latchkey";
    clap_complete::generate(
        arguments.shell,
        &mut super::command(name),
        name,
        &mut script,
    );
    output::bytes(&script)
}

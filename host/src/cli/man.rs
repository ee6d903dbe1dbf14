//! `man`: this program's manual pages, for `man -l -`.

use clap::Args;
use clap_mangen::Man;

use super::failure::Failure;
use super::output;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The subcommand whose page it is to be, for instance: gateway create-jwt
    #[arg(value_name = "SUBCOMMAND")]
    subcommands: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = super::command("mngr-latchkey");
    command.build();
    for name in &arguments.subcommands {
        command = command.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::usage(format_args!("there is no subcommand '{name}'; see --help"))
        })?;
    }
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::failed(format_args!("cannot write the manual page: {error}")))?;
    output::bytes(&page)
}

//! `compile-component`: what the gateway runs to compile an extension's component, which comes on stdin.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::extensions::{CompileRequest, compile};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many bytes of stdin are the component; the process ends when stdin does
    #[arg(long, value_name = "BYTES")]
    length: u64,

    /// Existing directory to leave the code in
    #[arg(long, value_name = "DIRECTORY")]
    code: Option<PathBuf>,

    /// Compete with other processes as an equal
    #[arg(long)]
    with_priority: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let request = CompileRequest {
        length: arguments.length,
        code: arguments.code,
        has_priority: arguments.with_priority,
    };
    compile(&request).map_err(Failure::failed)
}

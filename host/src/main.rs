//! Starts the command line, nothing else.

use std::process::ExitCode;

/// Gives memory back once the compiler of components has run; the system's allocator would keep most of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mngr_latchkey::cli::main()
}

//! Writes the reference of the capabilities, `docs/capabilities.md`, from the WIT.
//!
//! - `cargo run -p reference` writes it.
//! - `cargo run -p reference -- --check` writes nothing and fails when what stands there is not what would be written.
//!
//! Signatures and descriptions are those of `wit/`; which grant a function needs says the crate `gates`, which the tests of the
//! gates go by as well.
//!
//! Exit status: 0 written, or current; 1 failed, with one message on standard error; 2 not understood.

mod error;
mod page;
mod signature;
mod worlds;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use error::Error;
use worlds::Worlds;

/// From the root of the workspace.
const PAGE: &str = "docs/capabilities.md";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Write,
    Check,
}

impl Task {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        arguments
            .into_iter()
            .try_fold(Self::Write, |_, argument| match argument.as_str() {
                "--check" => Ok(Self::Check),
                _ => Err(Error::UnknownArgument(argument)),
            })
    }

    fn run(self) -> Result<String, Error> {
        let package = env::var_os("CARGO_MANIFEST_DIR").ok_or(Error::NotUnderCargo)?;
        let root = PathBuf::from(package).join("../..");
        let page = page::render(&Worlds::read(&root.join("wit"))?)?;
        let path = root.join(PAGE);
        match self {
            Self::Write => {
                fs::write(&path, page).map_err(|source| Error::Write { path, source })?;
                Ok(format!("{PAGE}: written"))
            }
            Self::Check => match fs::read_to_string(&path) {
                Ok(found) if found == page => Ok(format!("{PAGE}: current")),
                Ok(found) => Err(Error::stale(&found, &page)),
                Err(source) => Err(Error::Read { path, source }),
            },
        }
    }
}

fn main() -> ExitCode {
    let arguments = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    // With nobody there to be told, the exit status still tells.
    match Task::parse(arguments).and_then(Task::run) {
        Ok(done) => {
            let _ = writeln!(io::stdout(), "{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Task, Error> {
        Task::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn one_flag_is_known_and_no_other() {
        assert_eq!(parse(&[]).unwrap(), Task::Write);
        assert_eq!(parse(&["--check"]).unwrap(), Task::Check);
        let error = parse(&["--chekc"]).unwrap_err();
        assert!(error.to_string().contains("--chekc"), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}

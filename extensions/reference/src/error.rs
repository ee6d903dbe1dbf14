//! Everything that can stop the program. Each message says what to do next; none is recovered from.

use std::io;
use std::path::PathBuf;

/// Why the reference was not written, or is not what the WIT says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("unknown argument `{0}`; usage: cargo run -p reference [-- --check]")]
    UnknownArgument(String),

    #[error("CARGO_MANIFEST_DIR is not set; start this program with `cargo run -p reference`")]
    NotUnderCargo,

    #[error("cannot read {}: {source}; `cargo run -p reference` writes the reference", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("the WIT package in {} is not understood: {reason}", path.display())]
    Wit { path: PathBuf, reason: String },

    #[error("{0} is in no world of `wit/`: build the crate `gates` again")]
    NoSuch(String),

    #[error(
        "docs/capabilities.md is not what the WIT says, from line {line} on; `cargo run -p reference` writes it again"
    )]
    Stale { line: usize },
}

impl Error {
    /// Names the first line that differs.
    pub fn stale(found: &str, expected: &str) -> Self {
        let same = found
            .lines()
            .zip(expected.lines())
            .take_while(|(found, expected)| found == expected);
        Self::Stale {
            line: 1 + same.count(),
        }
    }

    pub fn exit_status(&self) -> u8 {
        match self {
            Self::UnknownArgument(_) => 2,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stale_is_named_by_its_line_with_the_command_to_run() {
        let message = Error::stale("a\nb\nc\n", "a\nB\nc\n").to_string();
        assert!(
            message.contains("line 2") && message.contains("`cargo run -p reference`"),
            "{message}"
        );
    }
}

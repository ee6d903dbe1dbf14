//! Everything that can stop the program. Each message names the file or command and what to do next; none is recovered from.

use std::io;
use std::path::PathBuf;

/// Why the components were not built, or why they are not what the sources say.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("unknown argument `{0}`; usage: cargo run -p bundle [-- --check]")]
    UnknownArgument(String),

    #[error("CARGO_MANIFEST_DIR is not set; start this program with `cargo run -p bundle`")]
    NotUnderCargo,

    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("cannot report to standard output: {0}")]
    Report(io::Error),

    #[error("{} is not understood: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },

    #[error("cannot start `{command}`: {source}; is the Rust toolchain on PATH?")]
    Start { command: String, source: io::Error },

    #[error("`{command}` failed ({status}){output}")]
    Command {
        command: String,
        status: String,
        output: String,
    },

    #[error("`{command}` printed something that is not understood: {reason}")]
    CommandOutput { command: String, reason: String },

    #[error(
        "the pinned toolchain is Rust {pinned}, but `rustc` on PATH is {found}; install it with `rustup toolchain install {pinned}`"
    )]
    WrongToolchain { pinned: String, found: String },

    #[error("the standard library for {target} is not installed in {}; run `rustup target add {target}`", sysroot.display())]
    TargetMissing {
        target: &'static str,
        sysroot: PathBuf,
    },

    #[error("Cargo.lock has no package `{0}`; is it a member of the workspace?")]
    NotLocked(String),

    #[error(
        "the component `{component}` was compiled from {}, which its source hash does not cover; \
         move the file below the extension, a crate it depends on by path, or wit/",
        path.display()
    )]
    Uncovered {
        component: &'static str,
        path: PathBuf,
    },

    #[error("the bundled components do not match their sources:\n{}\nrun `cargo run -p bundle` and commit host/bundled/", .0.join("\n"))]
    Stale(Vec<String>),
}

//! The pinned compiler and the standard library of the component target: how they are called, and how they are identified.
//!
//! Children see an environment in which nothing of the caller's can change what is compiled or how.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::digest::{self, Digest};
use crate::error::Error;

/// The target that components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// The compiler that rust-toolchain.toml selects.
pub struct Toolchain {
    pub compiler: Compiler,
    pub sysroot: PathBuf,
    /// `None`: the target is not installed.
    pub library: Option<Digest>,
}

/// Two equal values compile the same sources to the same bytes. The host counts: no promise spans platforms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiler {
    pub release: String,
    pub commit: String,
    pub llvm: String,
    pub host: String,
}

impl Toolchain {
    /// Identifies the compiler that builds in `root`, and the target's library when it is there.
    pub fn detect(root: &Path) -> Result<Self, Error> {
        let version = text("rustc -vV", output(command("rustc", root).arg("-vV"))?)?;
        let compiler = Compiler::parse(&version)?;
        let sysroot = text(
            "rustc --print sysroot",
            output(command("rustc", root).args(["--print", "sysroot"]))?,
        )?;
        let sysroot = PathBuf::from(sysroot.trim_end());
        let library = library_digest(&sysroot.join("lib/rustlib").join(TARGET).join("lib"))?;
        Ok(Self {
            compiler,
            sysroot,
            library,
        })
    }

    /// The digest of the target's library, for callers that cannot go on without it.
    pub fn require_library(&self) -> Result<&Digest, Error> {
        self.library.as_ref().ok_or_else(|| Error::TargetMissing {
            target: TARGET,
            sysroot: self.sysroot.clone(),
        })
    }

    /// Refuses a compiler that is not the pinned one: rustup selects it by itself, other installations may not.
    pub fn require_release(&self, pinned: &str) -> Result<(), Error> {
        if self.compiler.release == pinned {
            return Ok(());
        }
        Err(Error::WrongToolchain {
            pinned: pinned.into(),
            found: self.compiler.release.clone(),
        })
    }
}

impl Compiler {
    fn parse(version: &str) -> Result<Self, Error> {
        let field = |name: &str| {
            let line = version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned).ok_or_else(|| Error::CommandOutput {
                command: "rustc -vV".into(),
                reason: format!("no line `{name}: ...`"),
            })
        };
        Ok(Self {
            release: field("release")?,
            commit: field("commit-hash")?,
            llvm: field("LLVM version")?,
            host: field("host")?,
        })
    }
}

/// The release that rust-toolchain.toml pins.
pub fn pinned_release(root: &Path) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Table,
    }
    #[derive(Deserialize)]
    struct Table {
        channel: String,
    }
    let path = root.join("rust-toolchain.toml");
    let file: File = digest::read_toml(&path)?;
    Ok(file.toolchain.channel)
}

/// A command in `directory` that inherits no setting which could reach a compiler.
pub fn command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null());
    for (name, _) in env::vars_os().filter(|(name, _)| reaches_the_compiler(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs the command and gives its standard output; what it says on standard error becomes part of the error.
pub fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let shown = shown(command);
    let output = command.output().map_err(|source| Error::Start {
        command: shown.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command {
        command: shown,
        status: output.status.to_string(),
        output: format!(":\n{}", said.trim_end()),
    })
}

/// Runs the command with the caller's standard error, so that a long build shows its progress.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let shown = shown(command);
    let status = command.stdout(Stdio::null()).status();
    let status = status.map_err(|source| Error::Start {
        command: shown.clone(),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: shown,
        status: status.to_string(),
        output: "; its messages stand above".into(),
    })
}

/// The program and its first argument: enough to recognise it, without a screenful of flags.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    match command.get_args().next() {
        Some(first) => format!("{program} {}", first.to_string_lossy()),
        None => program.into_owned(),
    }
}

fn text(command: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| Error::CommandOutput {
        command: command.into(),
        reason: error.to_string(),
    })
}

/// How cargo downloads, how it prints and how many jobs it runs may differ; everything else of cargo, rustc and rustup is ours.
fn reaches_the_compiler(name: &OsStr) -> bool {
    const KEPT: [&str; 6] = [
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_BUILD_JOBS",
    ];
    let name = name.to_string_lossy();
    if name == "CARGO_HOME" || KEPT.iter().any(|kept| name.starts_with(kept)) {
        return false;
    }
    // `RUSTUP_TOOLCHAIN` is set below `cargo +other run` and would win over rust-toolchain.toml.
    name == "CARGO"
        || name == "RUSTFLAGS"
        || name == "RUSTUP_TOOLCHAIN"
        || name.starts_with("CARGO_")
        || name.starts_with("RUSTC")
}

/// Covers every file that a component is linked from: the rlibs, the C library and the start files.
fn library_digest(directory: &Path) -> Result<Option<Digest>, Error> {
    if !directory.is_dir() {
        return Ok(None);
    }
    let files = digest::files_below(directory)?;
    let is_std = |path: &PathBuf| {
        let name = path
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    };
    if !files.iter().any(is_std) {
        return Ok(None);
    }
    let mut lines = Vec::with_capacity(files.len());
    for file in files {
        let name = file
            .strip_prefix(directory)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        lines.push(format!("{} {name}", digest::of_file(&file)?));
    }
    Ok(Some(digest::of_lines(lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 59807616e1fa\n\
                           commit-date: 2026-04-14\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";

    #[test]
    fn compiler_is_read_from_verbose_version() {
        let compiler = Compiler::parse(VERSION).unwrap();
        assert_eq!(compiler.release, "1.95.0");
        assert_eq!(compiler.commit, "59807616e1fa");
        assert_eq!(compiler.llvm, "22.1.2");
        assert_eq!(compiler.host, "x86_64-unknown-linux-gnu");
    }

    #[test]
    fn missing_version_field_is_named() {
        let error = Compiler::parse("release: 1.95.0\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("commit-hash"), "{error}");
    }

    #[test]
    fn settings_that_change_the_compiled_bytes_are_cleared() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_WASM32_WASIP2_LINKER",
            "CARGO_TARGET_DIR",
            "CARGO_INCREMENTAL",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(reaches_the_compiler(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn settings_of_network_and_terminal_are_kept() {
        for name in [
            "CARGO_HOME",
            "CARGO_HTTP_PROXY",
            "CARGO_TERM_COLOR",
            "CARGO_BUILD_JOBS",
            "RUSTUP_HOME",
            "PATH",
        ] {
            assert!(!reaches_the_compiler(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn library_without_std_counts_as_missing() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("crt1.o"), b"object").unwrap();
        assert!(library_digest(directory.path()).unwrap().is_none());
        std::fs::write(directory.path().join("libstd-0.rlib"), b"one").unwrap();
        let one = library_digest(directory.path()).unwrap().unwrap();
        std::fs::write(directory.path().join("libstd-0.rlib"), b"two").unwrap();
        assert_ne!(library_digest(directory.path()).unwrap().unwrap(), one);
    }
}

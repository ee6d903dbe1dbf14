//! Builds the bundled components and keeps them honest.
//!
//! The gateway embeds `host/bundled/*.wasm`, which stand in the repository, so that building the gateway takes no wasm target and no
//! build script runs cargo inside cargo. This program makes them:
//!
//! - `cargo run -p bundle` compiles every component of [`COMPONENTS`] with the pinned toolchain for `wasm32-wasip2` and writes it to
//!   `host/bundled/`, with `SHA256SUMS` (read by `sha256sum -c`) and `BUILDINFO` (compiler, standard library, sources). The same sources
//!   give the same bytes in every directory and for every user, whatever their environment sets; nothing is written unless all compile.
//! - `cargo run -p bundle -- --check` writes nothing and fails when a component is stale, naming it and what differs. Where compiler
//!   and standard library are those of `BUILDINFO` it compiles again and compares byte for byte; elsewhere it compares the hash of the
//!   sources; it says which it did.
//!
//! Exit status: 0 built, or nothing stale; 1 failed, with one message on standard error; 2 not understood.

mod check;
mod compile;
mod digest;
mod error;
mod record;
mod sources;
mod toolchain;
mod workspace;

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use error::Error;
use record::{BuildInfo, Bundled};
use sources::{Lock, Sources};
use toolchain::Toolchain;
use workspace::Workspace;

/// The extensions that the gateway brings along, by package name; each becomes `host/bundled/<name>.wasm`.
const COMPONENTS: [&str; 3] = ["minds-api-proxy", "permission-requests", "permissions"];

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Build,
    Check,
}

impl Task {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        arguments
            .into_iter()
            .try_fold(Self::Build, |_, argument| match argument.as_str() {
                "--check" => Ok(Self::Check),
                _ => Err(Error::UnknownArgument(argument)),
            })
    }
}

fn main() -> ExitCode {
    let arguments = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    let mut out = io::stdout().lock();
    let result = Task::parse(arguments).and_then(|task| {
        let bench = Bench::set_up()?;
        match task {
            Task::Build => bench.build(&mut out),
            Task::Check => bench.check(&mut out),
        }
    });
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    // With standard error closed there is nobody left to tell; the exit status still does.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(if matches!(error, Error::UnknownArgument(_)) {
        2
    } else {
        1
    })
}

/// Everything that both tasks look at.
struct Bench {
    workspace: Workspace,
    toolchain: Toolchain,
    bundled: Bundled,
    pinned: String,
    sources: BTreeMap<&'static str, Sources>,
}

impl Bench {
    fn set_up() -> Result<Self, Error> {
        let workspace = Workspace::discover()?;
        let toolchain = Toolchain::detect(&workspace.root)?;
        let pinned = toolchain::pinned_release(&workspace.root)?;
        let lock = Lock::read(&workspace)?;
        let sources = COMPONENTS
            .iter()
            .map(|&name| Ok((name, Sources::collect(name, &workspace, &lock, &pinned)?)))
            .collect::<Result<_, Error>>()?;
        let bundled = Bundled::at(workspace.bundled());
        Ok(Self {
            workspace,
            toolchain,
            bundled,
            pinned,
            sources,
        })
    }

    fn build(&self, out: &mut impl Write) -> Result<(), Error> {
        self.toolchain.require_release(&self.pinned)?;
        let standard_library = self.toolchain.require_library()?.clone();
        let mut components = BTreeMap::new();
        for (&name, sources) in &self.sources {
            components.insert(
                name,
                compile::component(name, &self.workspace, &self.toolchain, sources)?,
            );
        }
        let info = BuildInfo {
            standard_library,
            compiler: self.toolchain.compiler.clone(),
            sources: self
                .sources
                .iter()
                .map(|(&name, sources)| (name.to_owned(), sources.digest.clone()))
                .collect(),
        };
        self.bundled.write(&components, &info)?;
        for (name, bytes) in &components {
            let path = self.bundled.component(name);
            writeln!(
                out,
                "{} {} bytes, {}",
                digest::of_bytes(bytes),
                bytes.len(),
                path.display()
            )
            .map_err(Error::Report)?;
        }
        Ok(())
    }

    fn check(&self, out: &mut impl Write) -> Result<(), Error> {
        let Some(info) = self.bundled.info()? else {
            return Err(Error::Stale(vec![
                "  all: host/bundled/BUILDINFO is missing".into(),
            ]));
        };
        let sums = self.bundled.sums()?;
        let obstacle = check::obstacle(&self.toolchain, &info);
        let mut stale = Vec::new();
        for (&name, sources) in &self.sources {
            let mut verdict = check::recorded(name, &self.bundled, &info, &sums, sources)?;
            if verdict.is_ok() && obstacle.is_none() {
                let bytes = compile::component(name, &self.workspace, &self.toolchain, sources)?;
                verdict = check::rebuilt(name, &self.bundled, &bytes)?;
            }
            match (verdict, &obstacle) {
                (Err(reason), _) => {
                    stale.push(format!("  {name}: {reason}"));
                    Ok(())
                }
                (Ok(()), None) => writeln!(out, "{name}: rebuilt, the same byte for byte"),
                (Ok(()), Some(reason)) => writeln!(
                    out,
                    "{name}: not rebuilt, its source hash is the same ({reason})"
                ),
            }
            .map_err(Error::Report)?;
        }
        if stale.is_empty() {
            Ok(())
        } else {
            Err(Error::Stale(stale))
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
        assert_eq!(parse(&[]).unwrap(), Task::Build);
        assert_eq!(parse(&["--check"]).unwrap(), Task::Check);
        let error = parse(&["--check", "--chekc"]).unwrap_err().to_string();
        assert!(
            error.contains("--chekc") && error.contains("usage"),
            "{error}"
        );
    }

    #[test]
    fn stale_components_are_named_with_the_command_to_run() {
        let message = Error::Stale(vec!["  permissions: changed".into()]).to_string();
        assert!(
            message.contains("permissions") && message.contains("cargo run -p bundle"),
            "{message}"
        );
    }
}

//! `forward`: supervises the gateway and the tunnels to every agent, until it is told to stop.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::logging;
use super::mngr::{NAME, Start};
use super::options::Options;
use super::setup::Setup;
use crate::store::tokens::gateway_password;
use crate::supervisor::{DETACHED, Forward, ForwardSettings, GatewaySettings};

/// Keep the gateway running and every agent connected to it
///
/// Runs until SIGINT or SIGTERM. Agents are found by `mngr observe`; the host of each gets a reverse SSH tunnel from its
/// 127.0.0.1:1989 to the gateway. SIGHUP looks for agents anew. One supervisor a latchkey directory.
///
/// The gateway gets this process's environment: LATCHKEY_EXTENSION_MINDS_API_URL and the other variables of `gateway --help`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The mngr that finds agents
    #[arg(long, value_name = "FILE", default_value = NAME)]
    mngr_binary: PathBuf,
}

/// `words` are the process's own arguments.
pub(super) fn run(
    arguments: &Arguments,
    words: &[OsString],
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    if Start::recognise(words) != Start::Plugin {
        return Err(become_mngr(words));
    }
    let setup = Setup::open(options, environment)?;
    let settings = ForwardSettings {
        gateway: GatewaySettings {
            program: program()?,
            directory: setup.directory.clone(),
            password: gateway_password(&setup.key.signing_key()),
            verbosity: options.verbosity(),
        },
        mngr_binary: mngr_binary(&arguments.mngr_binary, environment)?,
        home: environment.home.clone().ok_or_else(|| {
            Failure::failed("there is no home directory for mngr to run in; set $HOME")
        })?,
    };
    if environment.variable(DETACHED).is_some() {
        // Fails for the leader of a process group, which is apart from the terminal already.
        let _ = rustix::process::setsid();
    }
    // Before the log: who may not supervise has nothing to do with the running supervisor's log.
    let forward = Forward::take(&setup.directory).map_err(Failure::failed)?;
    let log = match logging::start_service(options, environment, &setup.directory) {
        Ok(log) => log,
        Err(failure) => {
            forward.abandon().map_err(Failure::failed)?;
            return Err(failure);
        }
    };
    forward
        .run(settings, log.log().clone())
        .map_err(Failure::failed)
}

/// Executes this program anew under the name by which other versions recognise a supervisor. Returns only when that fails.
fn become_mngr(words: &[OsString]) -> Failure {
    let program = match program() {
        Ok(program) => program,
        Err(failure) => return failure,
    };
    let error = Command::new(&program)
        .arg0(NAME)
        .arg("latchkey")
        .args(words.iter().skip(1))
        .exec();
    Failure::failed(format_args!("cannot run {}: {error}", program.display()))
}

/// The file of this program.
pub(super) fn program() -> Result<PathBuf, Failure> {
    env::current_exe().map_err(|error| {
        Failure::failed(format_args!("cannot tell where this program is: {error}"))
    })
}

/// A bare name is looked up on PATH when it is run.
pub(super) fn mngr_binary(given: &Path, environment: &Environment) -> Result<PathBuf, Failure> {
    let path = environment.expand(given)?;
    let is_name = path.file_name() == Some(path.as_os_str());
    match &environment.working_directory {
        // It runs in the home directory, so a relative path has to be made absolute here.
        Some(directory) if !is_name => Ok(directory.join(path)),
        _ => Ok(path),
    }
}

impl Options {
    /// How much to log, as a child is told.
    pub(super) fn verbosity(&self) -> Vec<&'static str> {
        let quiet = self.quiet.then_some("--quiet");
        let verbose = std::iter::repeat_n("--verbose", self.verbose.into());
        quiet.into_iter().chain(verbose).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_mngr_is_found_from_here_and_a_bare_name_on_the_path() {
        let environment = Environment {
            home: Some("/home/me".into()),
            working_directory: Some("/here".into()),
            ..Environment::default()
        };
        let resolve = |path: &str| mngr_binary(Path::new(path), &environment).unwrap();
        assert_eq!(resolve("mngr"), Path::new("mngr"));
        assert_eq!(resolve("./mngr"), Path::new("/here/./mngr"));
        assert_eq!(resolve("venv/bin/mngr"), Path::new("/here/venv/bin/mngr"));
        assert_eq!(resolve("~/bin/mngr"), Path::new("/home/me/bin/mngr"));
        assert_eq!(resolve("/usr/bin/mngr"), Path::new("/usr/bin/mngr"));
    }
}

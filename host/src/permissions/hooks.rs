//! Hooks: executables that have a say in a decision.
//!
//! A hook is called with the path of a file that holds the request as JSON, readable by its owner only and gone when the
//! hooks are done. Exit status 0 lets the request through, 1 denies it, everything else is an error. What a hook prints
//! goes to the standard error output. A decision that nobody waits for any more takes its running hook with it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use tokio::process::Command;

use super::include::normalise;
use super::request::Request;

/// How often a start is tried while the executable is still being written by somebody.
const BUSY_RETRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// What the hooks of a rule say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Passed,
    /// Carries the hook that denied, as its rule names it.
    Denied(String),
}

/// Which hook failed, and how: the end of a sentence that begins with its name.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) hook: String,
    pub(super) problem: String,
}

/// Runs the hooks in order, up to the first that does not pass. Relative ones are looked for in `directory`.
pub(super) async fn run(
    hooks: &[String],
    directory: &Path,
    request: &Request,
) -> Result<Answer, Failure> {
    let fail = |hook: &String, problem: String| Failure {
        hook: hook.clone(),
        problem,
    };
    let Some(first) = hooks.first() else {
        return Ok(Answer::Passed);
    };
    let file = RequestFile::create(request)
        .await
        .map_err(|error| fail(first, format!("cannot be given the request: {error}")))?;
    for hook in hooks {
        let status = call(&executable(hook, directory), &file.path)
            .await
            .map_err(|error| fail(hook, format!("cannot be run: {error}")))?;
        match status.code() {
            Some(0) => {}
            Some(1) => return Ok(Answer::Denied(hook.clone())),
            Some(code) => return Err(fail(hook, format!("exited with status {code}"))),
            None => {
                let signal = status.signal().unwrap_or_default();
                return Err(fail(hook, format!("was ended by signal {signal}")));
            }
        }
    }
    Ok(Answer::Passed)
}

/// Absolute as is, with a `/` relative to `directory`, and otherwise left for the search on `PATH`.
fn executable(hook: &str, directory: &Path) -> PathBuf {
    if hook.contains('/') {
        normalise(&directory.join(hook))
    } else {
        PathBuf::from(hook)
    }
}

async fn call(executable: &Path, request: &Path) -> io::Result<ExitStatus> {
    let mut attempts = 0;
    loop {
        let error = match start(Command::new(executable).arg(request)).await {
            Ok(status) => return Ok(status),
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            Some(Errno::TXTBSY) if attempts < BUSY_RETRIES => {
                attempts += 1;
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            // A script without an interpreter line is one for the shell, as execvp(3) has it.
            Some(Errno::NOEXEC) => {
                let script = on_path(executable).unwrap_or_else(|| executable.to_owned());
                return start(Command::new("/bin/sh").arg(script).arg(request)).await;
            }
            _ => return Err(error),
        }
    }
}

async fn start(command: &mut Command) -> io::Result<ExitStatus> {
    let standard_error =
        || -> io::Result<Stdio> { Ok(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?)) };
    command
        .stdin(Stdio::null())
        .stdout(standard_error()?)
        .stderr(standard_error()?)
        .kill_on_drop(true)
        .status()
        .await
}

fn on_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() != 1 || name.is_absolute() {
        return None;
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The file with the request; it goes when this does.
struct RequestFile {
    path: PathBuf,
}

impl RequestFile {
    async fn create(request: &Request) -> io::Result<Self> {
        let content = request.as_value().to_string();
        let created = tokio::task::spawn_blocking(move || {
            let mut random = [0_u8; 16];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let name = format!(
                "mngr-latchkey-request-{:032x}.json",
                u128::from_be_bytes(random)
            );
            let file = Self {
                path: std::env::temp_dir().join(name),
            };
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&file.path)?
                .write_all(content.as_bytes())?;
            Ok(file)
        });
        created.await.map_err(io::Error::other)?
    }
}

impl Drop for RequestFile {
    fn drop(&mut self) {
        // Nothing is lost when it is gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}

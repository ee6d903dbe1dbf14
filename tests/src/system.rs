//! Programs of the system that the harness itself calls, run to their end.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// What it printed; or what it complained of, or why it could not be started.
pub(crate) fn attempt<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, String> {
    attempt_with(program, arguments, "")
}

/// The same with `input` on its standard input.
pub(crate) fn attempt_with<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
    input: &str,
) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    // One that does not want it hangs up, and says why on stderr.
    let _ = child
        .stdin
        .take()
        .expect("stdin is a pipe")
        .write_all(input.as_bytes());
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{shown}: {}: {}", output.status, complaint.trim()))
    }
}

/// What it printed.
///
/// # Panics
/// When it fails.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> String {
    attempt(program, arguments).unwrap_or_else(|complaint| panic!("{complaint}"))
}

//! One process that observes, with its process group.
//!
//! It gets nothing of ours but its output pipes: no secret in the environment, no input. It never outlives us: a watchdog in
//! its group ends the group when this process is gone, even by SIGKILL. The leader is waited for only after the group has
//! been ended, because until then its number cannot go to somebody else.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::timeout;

use super::feed::LONGEST_LINE;
use super::lines::{Line, Lines};

/// Settings of ours that other programs have no business with.
const WITHHELD: [&str; 4] = [
    "LATCHKEY_EXTENSION_MINDS_API_KEY",
    "LATCHKEY_ENCRYPTION_KEY",
    "LATCHKEY_GATEWAY_LISTEN_PASSWORD",
    "NOTIFY_SOCKET",
];
const LONGEST_DIAGNOSTIC: usize = 64 * 1024;
/// Waits for the end of its input, which comes when its parent dies, and ends its group then.
const WATCHDOG: &str = "trap '' TERM; read -r _; kill -TERM 0; sleep 5; kill -KILL 0";
/// How long a killed process may take to disappear.
const LONGEST_DEATH: Duration = Duration::from_secs(5);

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    #[error("there is no program '{}'", .0.display())]
    NotFound(PathBuf),
    #[error("the home directory {} cannot be entered: {source}", path.display())]
    Home { path: PathBuf, source: io::Error },
    #[error("cannot run '{}': {source}", program.display())]
    Failed { program: PathBuf, source: io::Error },
}

/// What a process did.
#[derive(Debug)]
pub(super) enum Deed<'a> {
    /// It wrote to its standard output.
    Event(Line<'a>),
    /// It wrote to its standard error.
    Diagnostic(Line<'a>),
    /// Nothing will come from its standard output any more.
    EventsEnded,
    DiagnosticsEnded,
    /// It has ended; what it wrote may still come.
    Exited,
}

/// A process and those that it started.
#[derive(Debug)]
pub(super) struct Child {
    leader: tokio::process::Child,
    group: Pid,
    watchdog: Option<tokio::process::Child>,
    events: Lines<ChildStdout>,
    events_ended: bool,
    diagnostics: Lines<ChildStderr>,
    diagnostics_ended: bool,
    ends_of_children: unix::Signal,
    has_exited: bool,
    is_reaped: bool,
}

impl Child {
    /// Starts `program` as the one who observes.
    pub(super) fn spawn(program: &Path, home: &Path) -> Result<Self, SpawnError> {
        let failed = |source| SpawnError::Failed {
            program: program.to_owned(),
            source,
        };
        // Before the process, so that its end is not missed.
        let ends_of_children = unix::signal(SignalKind::child()).map_err(failed)?;
        let mut leader = command(program, home).spawn().map_err(|source| {
            if let Err(source) = std::fs::read_dir(home) {
                let path = home.to_owned();
                return SpawnError::Home { path, source };
            }
            match source.kind() {
                io::ErrorKind::NotFound => SpawnError::NotFound(program.to_owned()),
                _ => failed(source),
            }
        })?;
        let group = leader
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (Some(group), Some(events), Some(diagnostics)) =
            (group, leader.stdout.take(), leader.stderr.take())
        else {
            return Err(failed(io::Error::other("it has no number or no output")));
        };
        Ok(Self {
            leader,
            group,
            watchdog: watchdog(group),
            events: Lines::new(events, LONGEST_LINE),
            events_ended: false,
            diagnostics: Lines::new(diagnostics, LONGEST_DIAGNOSTIC),
            diagnostics_ended: false,
            ends_of_children,
            has_exited: false,
            is_reaped: false,
        })
    }

    /// The next thing that it does; waits for ever after the last. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self) -> Deed<'_> {
        let Self {
            events,
            events_ended,
            diagnostics,
            diagnostics_ended,
            ends_of_children,
            has_exited,
            group,
            ..
        } = self;
        tokio::select! {
            line = events.next(), if !*events_ended => match line {
                Ok(Some(line)) => Deed::Event(line),
                Ok(None) | Err(_) => {
                    *events_ended = true;
                    Deed::EventsEnded
                }
            },
            line = diagnostics.next(), if !*diagnostics_ended => match line {
                Ok(Some(line)) => Deed::Diagnostic(line),
                Ok(None) | Err(_) => {
                    *diagnostics_ended = true;
                    Deed::DiagnosticsEnded
                }
            },
            () = exit(*group, ends_of_children), if !*has_exited => {
                *has_exited = true;
                Deed::Exited
            }
            else => std::future::pending().await,
        }
    }

    /// It has ended, and nobody holds its output any longer.
    pub(super) fn is_over(&self) -> bool {
        self.has_exited && self.events_ended && self.diagnostics_ended
    }

    pub(super) fn has_exited(&self) -> bool {
        self.has_exited
    }

    /// Asks everything in the group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends what is left of the group. None when the leader cannot even be killed.
    pub(super) async fn kill(mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        // It may have left its group. An error means that it has ended.
        let _ = self.leader.start_kill();
        let status = timeout(LONGEST_DEATH, self.leader.wait()).await;
        self.is_reaped = true;
        if let Some(watchdog) = &mut self.watchdog {
            let _ = timeout(LONGEST_DEATH, watchdog.wait()).await;
        }
        status.ok()?.ok()
    }

    fn signal(&self, signal: Signal) {
        // An error means that there is nobody left.
        let _ = kill_process_group(self.group, signal);
    }
}

/// The runtime is shut down, or nobody waits any longer.
impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
        }
    }
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["observe", "--discovery-only", "--quiet"])
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for name in WITHHELD {
        command.env_remove(name);
    }
    command
}

/// Waits until the process has ended, without taking note of it on behalf of the system.
async fn exit(process: Pid, ends_of_children: &mut unix::Signal) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(None) = waitid(WaitId::Pid(process), options) {
        if ends_of_children.recv().await.is_none() {
            return std::future::pending().await;
        }
    }
}

/// Without one, everything works but for the end of the group after a crash of ours.
fn watchdog(group: Pid) -> Option<tokio::process::Child> {
    let started = Command::new("/bin/sh")
        .args(["-c", WATCHDOG])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(group.as_raw_nonzero().get())
        .spawn();
    started
        .inspect_err(|error| tracing::debug!("mngr has no watchdog: {error}"))
        .ok()
}

#[cfg(test)]
mod tests;

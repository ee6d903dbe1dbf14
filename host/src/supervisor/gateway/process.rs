//! One child: spawning it on the socket, its readiness, its end.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::GatewaySettings;
use crate::gateway::READY;
use crate::logging::Log;
use crate::logging::child::take_over;
use crate::store::process::{Identity, Process};
use crate::supervisor::detached::DETACHED;

/// How long requests in progress may take when the gateway is to stop. Embedders kill a supervisor after ten seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(7);
/// How long its output may outlast it.
const LINGER: Duration = Duration::from_millis(500);
const READY_LINE_LIMIT: u64 = 64;

/// Why a child is no gateway any more, or never was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("it cannot be run: {0}")]
    Spawn(#[source] io::Error),
    #[error("it ended with {0}")]
    Exit(ExitStatus),
    #[error("it was not ready after {0:?}")]
    NotReady(Duration),
    #[error("it does not answer any more: {0}")]
    Unresponsive(String),
}

impl Ended {
    /// Whether the child itself has decided to end, as against being killed.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Spawn(_))
            || matches!(self, Self::Exit(status) if status.code().is_some())
    }
}

/// Killed when dropped.
#[derive(Debug)]
pub(super) struct GatewayProcess {
    child: Child,
    stdout: Option<ChildStdout>,
    /// Ends with its stderr.
    output: Option<JoinHandle<()>>,
    pid: Option<Pid>,
}

impl GatewayProcess {
    pub(super) fn spawn(
        settings: &GatewaySettings,
        listener: &TcpListener,
        log: &Log,
    ) -> Result<Self, Ended> {
        let socket: OwnedFd = listener.try_clone().map_err(Ended::Spawn)?.into();
        let mut command = std::process::Command::new(&settings.program);
        command
            // Started under the name mngr it would take itself for a plugin of mngr.
            .arg0("mngr-latchkey")
            .arg("gateway")
            .arg("--latchkey-directory")
            .arg(settings.directory.root())
            .arg("--supervised-by")
            .arg(getpid().as_raw_nonzero().to_string())
            .args(&settings.verbosity)
            .env_remove("NOTIFY_SOCKET")
            .env_remove(DETACHED)
            .stdin(socket)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the supervisor, which lets its children finish.
            .process_group(0);
        let mut child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(Ended::Spawn)?;
        let output = child.stderr.take().map(|stderr| {
            let log = log.clone();
            tokio::spawn(async move { take_over(stderr, "gateway", &log).await })
        });
        Ok(Self {
            pid: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
            stdout: child.stdout.take(),
            output,
            child,
        })
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.pid.map(|pid| pid.as_raw_nonzero().get())
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        Process::look_up(self.pid()?).map(|process| process.identity)
    }

    /// Completes when it accepts connections.
    pub(super) async fn ready(&mut self) -> Result<(), Ended> {
        if let Some(stdout) = self.stdout.take() {
            let mut line = String::new();
            let mut stdout = BufReader::new(stdout.take(READY_LINE_LIMIT));
            if stdout.read_line(&mut line).await.is_ok() && line.trim_end() == READY {
                return Ok(());
            }
        }
        Err(self.ended().await)
    }

    /// Completes when it has ended.
    pub(super) async fn ended(&mut self) -> Ended {
        let ended = match self.child.wait().await {
            Ok(status) => Ended::Exit(status),
            Err(error) => Ended::Spawn(error),
        };
        self.last_words().await;
        ended
    }

    /// Sees to it that what it said at its end is logged before anything about that end.
    async fn last_words(&mut self) {
        if let Some(output) = &mut self.output
            // What it started may hold its stderr open for longer.
            && tokio::time::timeout(LINGER, output).await.is_ok()
        {
            self.output = None;
        }
    }

    /// At once, whatever it is doing.
    pub(super) async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!("the gateway cannot be killed: {error}");
        }
    }

    /// Asks it to stop, and kills it when it takes too long.
    pub(super) async fn stop(&mut self) {
        if let Some(pid) = self.pid {
            // Fails when it has ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(STOP_DEADLINE, self.child.wait())
            .await
            .is_err()
        {
            tracing::warn!("the gateway did not stop within {STOP_DEADLINE:?} and is killed");
            self.kill().await;
        }
        self.last_words().await;
    }
}

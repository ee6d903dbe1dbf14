//! A supervisor that outlives whoever started it: for embedders, which want one to run and do not care whose it is.
//!
//! Everything that there is to know stands in the record, so any number of handles, in any number of processes, agree. A
//! process is signalled only when it still shows itself as a supervisor.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;

/// The first start ever compiles the components.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// A supervisor ends within nine seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
const KILL_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes.
const LOG_LIMIT: u64 = 10_000_000;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why there is no supervisor, or still one.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("cannot run {}: {source}", program.display())]
    Spawn { program: PathBuf, source: io::Error },
    #[error("the supervisor ended with {status} instead of starting; its output is in {}", log.display())]
    Ended { status: ExitStatus, log: PathBuf },
    #[error("the supervisor (pid={pid}) has no gateway after {START_DEADLINE:?}; its output is in {}", log.display())]
    NotReady { pid: u32, log: PathBuf },
    #[error("the supervisor (pid={pid}) cannot be signalled: {source}")]
    Signal { pid: i32, source: io::Error },
    #[error("the supervisor (pid={pid}) does not end, not even when killed")]
    Unkillable { pid: i32 },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A handle to the one supervisor of a latchkey directory, running or not (contract section 6, "Embedding").
#[derive(Clone, Debug)]
pub struct ForwardSupervisor {
    directory: LatchkeyDirectory,
    program: PathBuf,
    latchkey_binary: OsString,
    mngr_binary: OsString,
    environment: Vec<(OsString, OsString)>,
}

impl ForwardSupervisor {
    /// `program` is what answers to `latchkey forward`: this program under whatever name, or an mngr.
    pub fn new(directory: LatchkeyDirectory, program: impl Into<PathBuf>) -> Self {
        Self {
            directory,
            program: program.into(),
            latchkey_binary: "latchkey".into(),
            mngr_binary: "mngr".into(),
            environment: Vec::new(),
        }
    }

    /// The mngr that finds agents; `mngr` on PATH without this.
    pub fn mngr_binary(mut self, program: impl Into<OsString>) -> Self {
        self.mngr_binary = program.into();
        self
    }

    /// The upstream program; `latchkey` on PATH without this.
    pub fn latchkey_binary(mut self, program: impl Into<OsString>) -> Self {
        self.latchkey_binary = program.into();
        self
    }

    /// A variable that the supervisor and its gateway get besides those of this process.
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The record of the supervisor that runs; none when there is none.
    pub fn running(&self) -> Result<Option<Record>, StorageError> {
        Ok(Record::load(&self.directory.record())?.filter(Record::is_alive))
    }

    /// Adopts the supervisor that runs, or starts one and waits until its gateway serves.
    pub async fn ensure_running(&self) -> Result<Record, SupervisorError> {
        // One that is about to end is none to adopt, and one that is about to serve is.
        match self.running()? {
            Some(record) if record.gateway_port.is_some() => Ok(record),
            _ => self.start().await,
        }
    }

    /// Ends the supervisor that runs, with its gateway and its tunnels; whether there was one.
    pub async fn stop(&self) -> Result<bool, SupervisorError> {
        let Some(record) = self.running()? else {
            return Ok(false);
        };
        if !self.end(&record, Signal::TERM, STOP_DEADLINE).await?
            && !self.end(&record, Signal::KILL, KILL_DEADLINE).await?
        {
            return Err(SupervisorError::Unkillable { pid: record.pid });
        }
        // One that was killed has left it behind; another may have started meanwhile.
        if Record::load(&self.directory.record())?.as_ref() == Some(&record) {
            durable::remove(&self.directory.record())?;
        }
        Ok(true)
    }

    /// Ends the one that runs, if any, and starts another, with this handle's settings and environment.
    pub async fn restart(&self) -> Result<Record, SupervisorError> {
        self.stop().await?;
        self.ensure_running().await
    }

    /// Lets the running supervisor look for agents anew, gateway and tunnels untouched; starts one when there is none.
    pub async fn bounce(&self) -> Result<Record, SupervisorError> {
        if let Some(record) = self.running()?
            && signal(&record, Signal::HUP)?
        {
            return Ok(record);
        }
        self.ensure_running().await
    }

    async fn start(&self) -> Result<Record, SupervisorError> {
        let mut child = self.spawn()?;
        let pid = child.id().unwrap_or_default();
        let log = || self.directory.forward_log();
        let deadline = Instant::now() + START_DEADLINE;
        let mut ended = None;
        loop {
            if let Some(record) = self.running()?
                && record.gateway_port.is_some()
            {
                return Ok(record);
            }
            // Ours may have lost against one that was started at the same moment, and then that one counts.
            if let Some(status) = ended
                && self.running()?.is_none()
            {
                return Err(SupervisorError::Ended { status, log: log() });
            }
            if Instant::now() >= deadline {
                return Err(SupervisorError::NotReady { pid, log: log() });
            }
            tokio::select! {
                status = child.wait(), if ended.is_none() => ended = status.ok(),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    fn spawn(&self) -> Result<Child, SupervisorError> {
        durable::create_dir_all(&self.directory.plugin_data_dir())?;
        let path = self.directory.forward_log();
        let log = append_to(&path).map_err(|source| StorageError::new("write", &path, source))?;
        let failed = |source| SupervisorError::Spawn {
            program: self.program.clone(),
            source,
        };
        let mut command = std::process::Command::new(&self.program);
        command
            // How a program that has both names knows which one is meant.
            .arg0("mngr")
            .args(["latchkey", "forward", "--latchkey-directory"])
            .arg(self.directory.root())
            .arg("--latchkey-binary")
            .arg(&self.latchkey_binary)
            .arg("--mngr-binary")
            .arg(&self.mngr_binary)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // Out of reach of the terminal's signals.
            .process_group(0);
        Command::from(command).spawn().map_err(failed)
    }

    /// Whether the process is gone by the deadline.
    async fn end(
        &self,
        record: &Record,
        with: Signal,
        deadline: Duration,
    ) -> Result<bool, SupervisorError> {
        if !signal(record, with)? {
            return Ok(true);
        }
        let gone = async {
            while record.is_alive() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        Ok(tokio::time::timeout(deadline, gone).await.is_ok())
    }
}

/// Whether there was a process to signal.
fn signal(record: &Record, signal: Signal) -> Result<bool, SupervisorError> {
    let Some(pid) = Pid::from_raw(record.pid).filter(|_| record.is_alive()) else {
        return Ok(false);
    };
    match kill_process(pid, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(SupervisorError::Signal {
            pid: record.pid,
            source: error.into(),
        }),
    }
}

/// One old log is kept: nobody else ever shortens it.
fn append_to(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|log| log.len() > LOG_LIMIT) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(PRIVATE_FILE)
        .open(path)
}

//! A supervisor that outlives whoever started it: for embedders, which want one to run and do not care whose it is.
//!
//! Everything that there is to know stands in the record, so any number of handles, in any number of processes, agree. A
//! process is signalled only when it still shows itself as a supervisor.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::lock::FileLock;
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;
use crate::supervisor::ownership::lock_holder;

/// Set for a supervisor that is to leave the session of whoever starts it.
pub const DETACHED: &str = "MNGR_LATCHKEY_DETACHED";

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
    #[error("the supervisor ended with {status} instead of starting{}; its output is in {}", Reason(.reason), log.display())]
    Ended {
        status: ExitStatus,
        /// What it gave as the reason.
        reason: Option<String>,
        log: PathBuf,
    },
    #[error("the supervisor (pid={pid}) has no gateway after {START_DEADLINE:?}; its output is in {}", log.display())]
    NotReady { pid: u32, log: PathBuf },
    #[error("the supervisor (pid={pid}) cannot be signalled: {source}")]
    Signal { pid: i32, source: io::Error },
    #[error("the supervisor (pid={pid}) does not end, not even when killed")]
    Unkillable { pid: i32 },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

struct Reason<'a>(&'a Option<String>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(reason) => write!(formatter, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// A handle to the one supervisor of a latchkey directory, running or not (contract section 6, "Embedding").
#[derive(Clone, Debug)]
pub struct ForwardSupervisor {
    directory: LatchkeyDirectory,
    program: PathBuf,
    latchkey_binary: OsString,
    mngr_binary: OsString,
    environment: Vec<(OsString, OsString)>,
    options: Vec<OsString>,
}

impl ForwardSupervisor {
    /// `program` is this program's file, under whatever name.
    pub fn new(directory: LatchkeyDirectory, program: impl Into<PathBuf>) -> Self {
        Self {
            directory,
            program: program.into(),
            latchkey_binary: "latchkey".into(),
            mngr_binary: "mngr".into(),
            environment: Vec::new(),
            options: Vec::new(),
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

    /// A further option of `forward`.
    pub fn option(mut self, option: impl Into<OsString>) -> Self {
        self.options.push(option.into());
        self
    }

    /// The record of the supervisor that runs; none when there is none. Without a port while it starts and stops, and for the
    /// moment that it takes to write a record that somebody deleted.
    pub fn running(&self) -> Result<Option<Record>, StorageError> {
        if let Some(record) = Record::load(&self.directory.record())?
            && record.is_alive(&self.directory)
        {
            return Ok(Some(record));
        }
        let holder = lock_holder(&self.directory)?.map(|pid| Record {
            pid,
            started_at: String::new(),
            gateway_port: None,
        });
        Ok(holder.filter(|record| record.is_alive(&self.directory)))
    }

    /// Adopts the supervisor that runs, or starts one and waits until its gateway serves.
    pub async fn ensure_running(&self) -> Result<Record, SupervisorError> {
        let _turn = self.turn().await?;
        self.adopt_or_start().await
    }

    async fn adopt_or_start(&self) -> Result<Record, SupervisorError> {
        // One that is about to end is none to adopt, and one that is about to serve is.
        match self.running()? {
            Some(record) if record.gateway_port.is_some() => Ok(record),
            _ => self.start().await,
        }
    }

    /// Waits until nobody else starts a supervisor of this directory; until it is dropped, nobody else does.
    async fn turn(&self) -> Result<FileLock, SupervisorError> {
        let directory = self.directory.clone();
        let taken = tokio::task::spawn_blocking(move || {
            durable::create_dir_all(&directory.plugin_data_dir())?;
            FileLock::acquire(&directory.supervisor_start_lock())
        });
        match taken.await {
            Ok(lock) => Ok(lock?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
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
        let _turn = self.turn().await?;
        self.stop().await?;
        self.adopt_or_start().await
    }

    /// Lets the running supervisor look for agents anew, gateway and tunnels untouched; starts one when there is none.
    pub async fn bounce(&self) -> Result<Record, SupervisorError> {
        if let Some(record) = self.running()?
            && self.signal(&record, Signal::HUP)?
        {
            return Ok(record);
        }
        self.ensure_running().await
    }

    async fn start(&self) -> Result<Record, SupervisorError> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let attempt = self.attempt(deadline).await?;
            if let Some(record) = attempt {
                return Ok(record);
            }
        }
    }

    /// Starts a process and waits for a supervisor that serves, that one or another. None when another was there, so that the
    /// process ended, and is gone as well.
    async fn attempt(&self, deadline: Instant) -> Result<Option<Record>, SupervisorError> {
        let (mut child, said) = self.spawn()?;
        let pid = child.id().unwrap_or_default();
        let mut ended = None;
        let mut had_rival = false;
        loop {
            let running = self.running()?;
            if let Some(record) = &running {
                had_rival |= u32::try_from(record.pid) != Ok(pid);
                if record.gateway_port.is_some() {
                    return Ok(running);
                }
            }
            match ended {
                Some(_) if running.is_none() && had_rival => return Ok(None),
                Some(status) if running.is_none() => {
                    let reason = last_error(&self.directory.forward_log(), said);
                    let log = self.directory.forward_log();
                    return Err(SupervisorError::Ended {
                        status,
                        reason,
                        log,
                    });
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                let log = self.directory.forward_log();
                return Err(SupervisorError::NotReady { pid, log });
            }
            tokio::select! {
                status = child.wait(), if ended.is_none() => {
                    ended = status.ok();
                    // It may have met one that ends at this moment.
                    had_rival |= self.running()?.is_some();
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// A process, and how long the log was before it.
    fn spawn(&self) -> Result<(Child, u64), SupervisorError> {
        durable::create_dir_all(&self.directory.plugin_data_dir())?;
        let path = self.directory.forward_log();
        let unwritable = |source| StorageError::new("write", &path, source);
        let log = append_to(&path).map_err(unwritable)?;
        let said = log.metadata().map_err(unwritable)?.len();
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
            .args(&self.options)
            // The caller's service manager waits for the caller.
            .env_remove("NOTIFY_SOCKET")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(DETACHED, "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        let child = Command::from(command).spawn().map_err(failed)?;
        Ok((child, said))
    }

    /// Whether the process is gone by the deadline.
    async fn end(
        &self,
        record: &Record,
        with: Signal,
        deadline: Duration,
    ) -> Result<bool, SupervisorError> {
        if !self.signal(record, with)? {
            return Ok(true);
        }
        let gone = async {
            while record.is_alive(&self.directory) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        Ok(tokio::time::timeout(deadline, gone).await.is_ok())
    }

    /// Whether there was a process to signal.
    fn signal(&self, record: &Record, signal: Signal) -> Result<bool, SupervisorError> {
        let Some(pid) = Pid::from_raw(record.pid).filter(|_| record.is_alive(&self.directory))
        else {
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

/// The last failure that was reported after the first `said` bytes of the log.
fn last_error(path: &Path, said: u64) -> Option<String> {
    let mut log = File::open(path).ok()?;
    log.seek(SeekFrom::Start(said)).ok()?;
    let mut text = Vec::new();
    log.take(LOG_LIMIT).read_to_end(&mut text).ok()?;
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.strip_prefix("Error: "))
        .next_back()
        .map(str::to_owned)
}

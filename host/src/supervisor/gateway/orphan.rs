//! The gateway of a supervisor that crashed. It ends by itself when it notices; one that is stuck does not notice.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::GatewaySettings;
use crate::store::durable::StorageError;
use crate::store::process::{Identity, Process};
use crate::supervisor::memory::Memory;

const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends the process that the last supervisor's memory names, if it is still that process and a gateway of this directory.
///
/// # Errors
/// When the memory cannot be written.
pub(super) async fn reap(settings: &GatewaySettings, memory: &Memory) -> Result<(), StorageError> {
    let Some(identity) = memory.gateway() else {
        return Ok(());
    };
    if let Some(process) = identity.find()
        && is_gateway(&process, settings)
    {
        tracing::warn!(
            pid = identity.pid,
            "the gateway of a supervisor that has crashed still runs, and is ended"
        );
        end(identity, Signal::TERM).await;
        end(identity, Signal::KILL).await;
    }
    memory.set_gateway(None)
}

fn is_gateway(process: &Process, settings: &GatewaySettings) -> bool {
    let line = &process.command_line;
    let runs_gateway = line.iter().any(|word| word == "gateway")
        && line
            .iter()
            .any(|word| is_same(Path::new(word), settings.directory.root()));
    // What may not be seen is no argument against it.
    runs_gateway
        && process
            .executable
            .as_deref()
            .is_none_or(|executable| same_program(executable, &settings.program))
}

/// A directory has one canonical path, and may have been named by others.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// An executable that was replaced since has a mark after its name.
fn same_program(executable: &Path, program: &Path) -> bool {
    let name = executable.as_os_str().as_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    let program = program
        .canonicalize()
        .unwrap_or_else(|_| program.to_owned());
    OsStr::from_bytes(name) == program.as_os_str()
}

async fn end(process: Identity, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid).filter(|_| process.find().is_some()) else {
        return;
    };
    if let Err(error) = kill_process(pid, signal) {
        tracing::warn!(pid = process.pid, "it cannot be signalled: {error}");
    }
    let gone = async {
        while process.find().is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // Who is not gone by then is sent the stronger signal.
    let _ = tokio::time::timeout(PATIENCE, gone).await;
}

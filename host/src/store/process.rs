//! What a process number stands for at the moment.
//!
//! A number alone names nobody: it is given to another process once its own has ended. `Identity` does, with the start time.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// Start times are counted from the machine's start, which moves a little when the clock is set. Seconds.
const CLOCK_STEP: u64 = 2;

/// A running process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Empty for an instant while a program takes the process over (`exec`).
    pub command_line: Vec<OsString>,
    /// None when it may not be seen.
    pub executable: Option<PathBuf>,
    pub identity: Identity,
}

/// Names one process for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// Seconds since 1970.
    pub started_at: u64,
}

impl Process {
    /// None when there is no such process, or it has ended and only waits to be noticed.
    pub fn look_up(pid: i32) -> Option<Self> {
        let number = Pid::from_u32(u32::try_from(pid).ok()?);
        let mut system = System::new().ok()?;
        let wanted = ProcessRefreshKind::nothing()
            .without_tasks()
            .with_cmd(UpdateKind::Always)
            .with_exe(UpdateKind::Always);
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[number]), true, wanted);
        let process = system.process(number)?;
        if matches!(
            process.status(),
            ProcessStatus::Zombie | ProcessStatus::Dead
        ) {
            return None;
        }
        Some(Self {
            command_line: process.cmd().to_vec(),
            executable: process.exe().map(PathBuf::from),
            identity: Identity {
                pid,
                started_at: process.start_time(),
            },
        })
    }
}

impl Identity {
    /// The process, if it still runs and its number was not given away.
    pub fn find(self) -> Option<Process> {
        Process::look_up(self.pid)
            .filter(|process| process.identity.started_at.abs_diff(self.started_at) <= CLOCK_STEP)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_found_until_it_has_ended() {
        let mut child = Command::new("cat")
            .args(["-", "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // What answers is the program: before, there may be no command line yet.
        child.stdin.as_ref().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = Process::look_up(pid).unwrap();
        assert_eq!(found.command_line, ["cat", "-", "/dev/null"], "{found:?}");
        assert!(found.identity.find().is_some());
        let recycled = Identity {
            started_at: found.identity.started_at + 60,
            ..found.identity
        };
        assert!(recycled.find().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.identity.find().is_none());
        assert!(Process::look_up(-1).is_none());
    }
}

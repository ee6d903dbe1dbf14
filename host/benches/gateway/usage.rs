//! What a process has used so far, as `/proc` tells; so Linux alone is measured.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// The view of one process, which may have ended.
pub struct Usage(PathBuf);

#[derive(Clone, Copy)]
pub struct Resident {
    pub total: u64,
    pub anonymous: u64,
}

impl Usage {
    pub fn of(process: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{process}")))
    }

    /// Processor time of all of its threads so far.
    pub fn cpu_time(&self) -> Outcome<Duration> {
        let mut total = Duration::ZERO;
        for thread in std::fs::read_dir(self.0.join("task"))? {
            // A thread may end while the list is read.
            let Ok(statistics) = std::fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let running = statistics.split(' ').next().unwrap_or_default();
            total += Duration::from_nanos(running.parse()?);
        }
        Ok(total)
    }

    /// Resident memory in bytes: all of it, and the part that is no file's.
    pub fn resident(&self) -> Outcome<Resident> {
        let status = std::fs::read_to_string(self.0.join("status"))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"))
                .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
                .map(|kilobytes| kilobytes * 1024)
                .ok_or_else(|| format!("/proc knows no {name}"))
        };
        Ok(Resident {
            total: field("VmRSS:")?,
            anonymous: field("RssAnon:")?,
        })
    }

    /// How many files it has open now.
    pub fn open_files(&self) -> Outcome<u64> {
        Ok(std::fs::read_dir(self.0.join("fd"))?.count() as u64)
    }
}

/// The machine's, of the last minute.
pub fn load_average() -> Outcome<String> {
    let averages = std::fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().to_owned())
}

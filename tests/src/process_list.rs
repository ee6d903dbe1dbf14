//! The processes of this machine, as `/proc` shows them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// One process at the moment of looking.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its number.
    pub id: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its command line, one argument an element.
    pub command: Vec<String>,
}

impl Listed {
    /// The program that it runs; none for one that has ended.
    pub fn program(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/exe", self.id)).ok()
    }

    /// Sends it a signal, if it still lives.
    pub fn signal(&self, signal: Signal) {
        send(self.id, signal);
    }
}

/// All of them, those without a command line (kernel threads, zombies) left out.
pub fn processes() -> Vec<Listed> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(look_at).collect()
}

/// The children of a process, their children, and so on.
pub fn descendants(ancestor: u32) -> Vec<Listed> {
    let all = processes();
    let mut found: Vec<Listed> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.id);
            found.push(process.clone());
        }
    }
    found
}

/// The processes in whose command lines a path occurs.
pub fn processes_that_name(path: &Path) -> Vec<Listed> {
    let path = path.to_str().expect("the path is text");
    let mut all = processes();
    all.retain(|process| process.command.iter().any(|word| word.contains(path)));
    all
}

/// Whether a process with this number runs, and is no zombie.
pub fn is_running(id: u32) -> bool {
    look_at(id).is_some()
}

/// How many bytes of memory a process holds.
///
/// # Panics
/// When it does not run.
pub fn resident_memory(id: u32) -> u64 {
    size_in_status(id, "VmRSS:")
}

/// The most memory that a process has held so far, in bytes.
///
/// # Panics
/// When it does not run.
pub fn most_memory(id: u32) -> u64 {
    size_in_status(id, "VmHWM:")
}

fn size_in_status(id: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = size
        .and_then(|size| size.parse().ok())
        .expect("a running process has memory");
    kilobytes * 1024
}

/// How long the processor has worked for a process.
///
/// # Panics
/// When it does not run.
pub fn processor_time(id: u32) -> Duration {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    let fields = status.rsplit_once(')').map(|(_, fields)| fields);
    // The time in user mode and that in the kernel, in hundredths of a second.
    let times = fields.into_iter().flat_map(|fields| {
        let fields = fields.split_whitespace().skip(11).take(2);
        fields.filter_map(|ticks| ticks.parse::<u64>().ok())
    });
    Duration::from_millis(times.sum::<u64>() * 10)
}

/// Sends a signal to a process that may have ended.
pub(crate) fn send(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

fn look_at(id: u32) -> Option<Listed> {
    let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let command: Vec<String> = command
        .split(|&byte| byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let (_, command) = command.split_last()?;
    if command.is_empty() {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state and the parent follow it.
    let mut fields = status.rsplit_once(')')?.1.split_whitespace().skip(1);
    Some(Listed {
        id,
        parent: fields.next()?.parse().ok()?,
        command: command.to_vec(),
    })
}

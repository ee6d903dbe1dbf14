//! A program that keeps running. It is killed when dropped; what it wrote to stderr is shown when the test fails.

use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use crate::within_patience;

/// The process and its log so far.
pub struct Process {
    child: Child,
    stderr: Arc<Mutex<Vec<String>>>,
    lines: watch::Receiver<usize>,
}

impl Process {
    /// Starts `command`. Needs a tokio runtime, which reads stderr.
    pub(crate) fn start(command: Command) -> Self {
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be started");
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (counter, lines) = watch::channel(0);
        let mut reader = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let log = Arc::clone(&stderr);
        tokio::spawn(async move {
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .await
                .is_ok_and(|length| length > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                lock(&log).push(text);
                counter.send_modify(|count| *count += 1);
            }
        });
        Self {
            child,
            stderr,
            lines,
        }
    }

    /// Awaits a line of stderr for which `find` gives something; lines of before count.
    ///
    /// # Panics
    /// When there is none within patience, or the process ends without one.
    pub async fn logged<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut lines = self.lines.clone();
        let found = within_patience(what, async {
            loop {
                lines.mark_unchanged();
                let found = lock(&self.stderr).iter().find_map(|line| find(line));
                if found.is_some() || lines.changed().await.is_err() {
                    return found;
                }
            }
        })
        .await;
        match found {
            Some(found) => found,
            None => panic!(
                "{what}: the process ended without saying so:\n{}",
                self.stderr()
            ),
        }
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        lock(&self.stderr).join("\n")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child
            .id()
            .expect("the process has not been awaited yet")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process number");
        kill_process(id, signal).expect("the process takes signals");
    }

    /// Sends it a signal unless it has ended.
    pub fn signal_if_alive(&mut self, signal: Signal) {
        if self.has_ended().is_none() {
            self.signal(signal);
        }
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be looked at")
    }

    /// Awaits its end.
    pub async fn ended(&mut self) -> ExitStatus {
        within_patience("the process ends", self.child.wait())
            .await
            .expect("a child can be awaited")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "-- stderr of the process --\n{}\n-- end of stderr --",
                self.stderr()
            );
        }
    }
}

/// The reader never panics while it holds the lock.
fn lock(log: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    log.lock().expect("the reader of stderr lives")
}

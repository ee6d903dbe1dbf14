//! What extensions say, and what there is to say of them: bounded, made printable, and kept.
//!
//! One [`OutputLog`] an extension, whatever instances it has had. A line goes to the gateway's log, and to
//! `<extensions directory>/logs/<name>.log`, written on a thread of its own; whoever says it never waits. An extension may
//! write so many lines and bytes a second; the rest is counted, and the count is logged within a second. What the host has to
//! say of an extension has quotas of its own, so that a flood hides nothing.
//!
//! Everything passes `printable`: an extension can neither command a terminal, nor forge a line, nor hide anything.

mod files;
mod follow;
mod printable;
mod quota;
mod tail;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::Level;

use self::files::Files;
pub use self::follow::Follower;
pub use self::printable::{printable, printable_bytes};
use self::quota::Omitted;
pub(super) use self::quota::{Quota, Rate};
pub use self::tail::tail;
use crate::logging::queue::Queue;

/// The longest line, in bytes; the rest is cut.
pub(super) const LONGEST_LINE: usize = 8 * 1024;

/// How long the gateway's end waits for the disk.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// How often it is said how much was left out.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

/// What the extension itself says.
const OUTPUT: Rate = Rate {
    lines_a_second: 50,
    lines_at_once: 200,
    bytes_a_second: 32 * 1024,
    bytes_at_once: 256 * 1024,
};

/// What the host says of it, for each kind of thing that there is to say.
const REMARKS: Rate = Rate {
    lines_a_second: 10,
    lines_at_once: 100,
    bytes_a_second: 16 * 1024,
    bytes_at_once: 128 * 1024,
};

/// Reports of crashes, in lines.
const CRASHES: Rate = Rate {
    lines_a_second: 16,
    lines_at_once: 512,
    bytes_a_second: 4 * 1024,
    bytes_at_once: 128 * 1024,
};

/// The lines of a crash report that are kept, and their bytes; a backtrace can have thousands, and names of any length.
const REPORT_LINES: usize = 64;
const REPORT_LINE_BYTES: usize = 512;

/// The longest name of what was refused.
const LONGEST_NAME: usize = 200;

/// Where the output of extensions is kept, below the directory where they stand.
fn directory(extensions: &Path) -> PathBuf {
    extensions.join("logs")
}

/// The outputs of all extensions of a gateway. Dropping it writes what is not written yet.
pub(super) struct Outputs {
    logs: Mutex<HashMap<String, Arc<OutputLog>>>,
    /// None when there is no thread for it: then there is the gateway's log alone.
    queue: Option<Arc<Queue>>,
}

impl Outputs {
    /// `extensions` is where extensions stand.
    pub(super) fn new(extensions: &Path) -> Self {
        let queue = Queue::start("extension-logs", Files::new(directory(extensions)));
        Self {
            logs: Mutex::default(),
            queue: queue
                .inspect_err(|error| {
                    tracing::error!("the output of extensions is not kept in files: {error}");
                })
                .ok(),
        }
    }

    /// The output of the extension of this name: one for all its instances, and for those that take their place.
    pub(super) fn of(&self, extension: &str) -> Arc<OutputLog> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(extension) {
            return Arc::clone(log);
        }
        let queue = self.queue.clone().filter(|_| files::is_name(extension));
        let log = Arc::new(OutputLog::new(extension, queue));
        logs.insert(extension.to_owned(), Arc::clone(&log));
        log
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        let logs = self.logs.get_mut().unwrap_or_else(PoisonError::into_inner);
        for log in logs.values() {
            log.report_omitted();
        }
        if let Some(queue) = &self.queue {
            queue.close(Instant::now() + FLUSH_PATIENCE);
        }
    }
}

/// One extension's output.
pub(super) struct OutputLog {
    extension: Arc<str>,
    queue: Option<Arc<Queue>>,
    flows: Mutex<Flows>,
}

struct Flows {
    output: Quota,
    refusals: Quota,
    failures: Quota,
    crashes: Quota,
    /// Somebody will say what was left out.
    report_is_due: bool,
}

impl OutputLog {
    fn new(extension: &str, queue: Option<Arc<Queue>>) -> Self {
        Self {
            extension: printable(extension, LONGEST_NAME).into(),
            queue,
            flows: Mutex::new(Flows {
                output: Quota::new(OUTPUT),
                refusals: Quota::new(REMARKS),
                failures: Quota::new(REMARKS),
                crashes: Quota::new(CRASHES),
                report_is_due: false,
            }),
        }
    }

    /// An output that goes to the gateway's log alone.
    #[cfg(test)]
    pub(super) fn unkept(extension: &str) -> Arc<Self> {
        Arc::new(Self::new(extension, None))
    }

    /// Something that the extension says.
    pub(super) fn line(self: &Arc<Self>, level: Level, text: &[u8]) {
        let bytes = text.len().min(LONGEST_LINE);
        if self.admits(|flows| &mut flows.output, 1, bytes) {
            let text = printable_bytes(text, LONGEST_LINE);
            self.log(level, &text);
            if !self.keep(level, &text) {
                let mut flows = self.flows();
                flows.output.omit(1, bytes);
                self.report_soon(&mut flows);
            }
        }
    }

    /// It wanted something that it is not granted.
    pub(super) fn refused(self: &Arc<Self>, capability: &str, wanted: &str) {
        if self.admits(
            |flows| &mut flows.refusals,
            1,
            wanted.len().min(LONGEST_NAME),
        ) {
            let wanted = printable(wanted, LONGEST_NAME);
            let extension = &*self.extension;
            tracing::warn!(
                extension,
                capability,
                wanted,
                "not granted to the extension"
            );
            self.keep(
                Level::WARN,
                &format!("not granted to the extension: {capability} {wanted}"),
            );
        }
    }

    /// Something that the host has to say of it, and that may happen often.
    pub(super) fn remark(self: &Arc<Self>, level: Level, text: &str) {
        if self.admits(|flows| &mut flows.failures, 1, text.len().min(LONGEST_LINE)) {
            let text = printable(text, LONGEST_LINE);
            self.log(level, &text);
            self.keep(level, &text);
        }
    }

    /// Something that the host has to say of it, and that does not happen often by itself.
    pub(super) fn note(&self, level: Level, text: &str) {
        let text = printable(text, LONGEST_LINE);
        self.log(level, &text);
        self.keep(level, &text);
    }

    /// An instance crashed: the whole report is kept, as far as it may be. The gateway's log is not told.
    pub(super) fn crashed(self: &Arc<Self>, report: &str) {
        let mut lines: Vec<String> = report
            .lines()
            .take(REPORT_LINES)
            .map(|line| printable(line, REPORT_LINE_BYTES))
            .collect();
        let more = report.lines().skip(REPORT_LINES).count();
        if more > 0 {
            lines.push(format!("({more} more lines of this report are left out)"));
        }
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let bytes = lines.iter().map(String::len).sum();
        if self.admits(|flows| &mut flows.crashes, count, bytes) {
            for line in lines {
                self.keep(Level::ERROR, &line);
            }
        }
    }

    fn flows(&self) -> MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admits(
        self: &Arc<Self>,
        flow: fn(&mut Flows) -> &mut Quota,
        lines: u32,
        bytes: usize,
    ) -> bool {
        let mut flows = self.flows();
        if flow(&mut flows).admits(lines, bytes, Instant::now()) {
            return true;
        }
        self.report_soon(&mut flows);
        false
    }

    /// Sees to it that it is said how much was left out; without a runtime that is when the output ends.
    fn report_soon(self: &Arc<Self>, flows: &mut Flows) {
        if flows.report_is_due {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        flows.report_is_due = true;
        let log = Arc::downgrade(self);
        runtime.spawn(async move {
            tokio::time::sleep(BETWEEN_REPORTS).await;
            if let Some(log) = log.upgrade() {
                log.report_omitted();
            }
        });
    }

    /// Says how much was left out since this was said last.
    fn report_omitted(&self) {
        let omitted = {
            let mut flows = self.flows();
            flows.report_is_due = false;
            [
                (flows.output.take_omitted(), "of its output"),
                (
                    flows.refusals.take_omitted(),
                    "about what is not granted to it",
                ),
                (flows.failures.take_omitted(), "about what went wrong"),
                (flows.crashes.take_omitted(), "of crash reports"),
            ]
        };
        for (omitted, what) in omitted {
            if let Some(Omitted { lines, bytes }) = omitted {
                let text =
                    format!("{lines} lines {what} ({bytes} bytes) were left out: too many at once");
                self.log(Level::WARN, &text);
                self.keep(Level::WARN, &text);
            }
        }
    }

    fn log(&self, level: Level, text: &str) {
        let extension = &*self.extension;
        match level {
            Level::TRACE => tracing::trace!(extension, "{text}"),
            Level::DEBUG => tracing::debug!(extension, "{text}"),
            Level::INFO => tracing::info!(extension, "{text}"),
            Level::WARN => tracing::warn!(extension, "{text}"),
            Level::ERROR => tracing::error!(extension, "{text}"),
        }
    }

    /// Puts a printable line on its way to the file. False when it finds no room.
    fn keep(&self, level: Level, text: &str) -> bool {
        let line = || format!("{:.3} {level} {text}", Timestamp::now());
        self.queue
            .as_ref()
            .is_none_or(|queue| queue.push(&files::marked(&self.extension, &line())))
    }
}

#[cfg(test)]
mod tests;

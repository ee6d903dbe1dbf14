//! The places that records go to, and the one way in.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::console::Form;
use super::filter::Filter;
use super::queue::Queue;
use super::record::Record;

/// How long the end of the process waits for a disk or a reader.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    /// Where a thread makes its lines.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The log of this process. A clone is the same log; one that was made by `Default` goes nowhere.
#[derive(Clone, Default)]
pub struct Log {
    sinks: Arc<[Sink]>,
}

#[derive(Clone)]
pub(super) struct Sink {
    pub filter: Filter,
    pub form: Form,
    pub queue: Arc<Queue>,
}

impl Log {
    /// The first sink is stderr, which is told of the trouble of the others.
    pub(super) fn new(sinks: Vec<Sink>) -> Self {
        Self {
            sinks: sinks.into(),
        }
    }

    /// The same log without stderr.
    pub(super) fn files(&self) -> Self {
        Self {
            sinks: self.sinks.iter().skip(1).cloned().collect(),
        }
    }

    /// Puts a record on its way to wherever it is wanted. Never waits.
    pub fn submit(&self, record: &Record) {
        let (target, level) = (record.target(), record.level());
        let mut line: Option<(Form, Vec<u8>)> = None;
        for sink in self.sinks.iter() {
            if !sink.filter.wants(target, level) {
                continue;
            }
            let mut bytes = match line.take() {
                Some((form, bytes)) if form == sink.form => bytes,
                other => {
                    let mut bytes = match other {
                        Some((_, bytes)) => bytes,
                        // A thread that ends may log too, and has no such place any more.
                        None => LINE.try_with(Cell::take).unwrap_or_default(),
                    };
                    bytes.clear();
                    sink.form.write_line(record, &mut bytes);
                    bytes
                }
            };
            sink.queue.push(&bytes);
            bytes.shrink_to(64 * 1024);
            line = Some((sink.form, bytes));
        }
        if let Some((_, bytes)) = line {
            let _ = LINE.try_with(|cell| cell.set(bytes));
        }
    }

    pub(super) fn wants(&self, target: &str, level: Level) -> bool {
        let mut filters = self.sinks.iter().map(|sink| &sink.filter);
        filters.any(|filter| filter.wants(target, level))
    }

    /// The most that any sink wants of any target.
    pub(super) fn most(&self) -> LevelFilter {
        let levels = self.sinks.iter().map(|sink| sink.filter.most());
        levels.max().unwrap_or(LevelFilter::OFF)
    }

    fn close(&self) {
        let Some((stderr, files)) = self.sinks.split_first() else {
            return;
        };
        let deadline = Instant::now() + FLUSH_PATIENCE;
        for sink in files {
            sink.queue.close(deadline);
        }
        stderr.queue.close(Instant::now() + FLUSH_PATIENCE);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").finish_non_exhaustive()
    }
}

/// Whoever holds it keeps the log going. When it is dropped, what was submitted is written; what comes later is not.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard {
    log: Log,
}

impl LogGuard {
    pub(super) fn new(log: Log) -> Self {
        Self { log }
    }

    /// For what does not come by way of `tracing`.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.log.close();
    }
}

//! A log that tests read.

use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;

use super::console::Form;
use super::filter::Filter;
use super::layer::RecordLayer;
use super::log::{Log, LogGuard, Sink};
use super::queue::{Destination, Queue};
use super::record::Record;

/// The records of what happens in `act`, wanted as in `RUST_LOG`.
pub(crate) fn records(wanted: &str, act: impl FnOnce()) -> Vec<Record> {
    let captured = Captured::new(wanted);
    let layer = RecordLayer::new(captured.log().clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
    captured.end()
}

/// What came, in order.
pub(super) struct Captured {
    guard: LogGuard,
    records: Arc<Mutex<Vec<Record>>>,
}

struct Keeper(Arc<Mutex<Vec<Record>>>);

impl Destination for Keeper {
    fn write(&mut self, line: &[u8]) {
        let record = Record::parse(line.trim_ascii_end());
        self.0.lock().unwrap().push(record.expect("a record"));
    }

    fn dropped(&mut self, count: u64) {
        self.0
            .lock()
            .unwrap()
            .push(super::losses(count, "the test is too slow"));
    }
}

impl Captured {
    /// `wanted` as in `RUST_LOG`.
    pub(super) fn new(wanted: &str) -> Self {
        let records = Arc::default();
        let sink = Sink {
            filter: Filter::any_of([wanted.parse().unwrap()]),
            form: Form::Records,
            queue: Queue::start("test", Keeper(Arc::clone(&records))).unwrap(),
        };
        Self {
            guard: LogGuard::new(Log::new(vec![sink])),
            records,
        }
    }

    pub(super) fn log(&self) -> &Log {
        self.guard.log()
    }

    /// Everything that was submitted.
    pub(super) fn end(self) -> Vec<Record> {
        drop(self.guard);
        std::mem::take(&mut *self.records.lock().unwrap())
    }
}

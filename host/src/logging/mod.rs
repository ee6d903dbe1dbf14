//! Where log records go: a file of JSON lines for programs, stderr for people.
//!
//! The program and its libraries speak to `tracing`; a layer turns what they say into `Record`s. A supervised child writes its
//! records to stderr as JSON, and its supervisor takes them over as they are. One `Log` hands all of them to the sinks: the
//! console, the file that the user named, `events.jsonl`.
//!
//! Promises: who logs never waits, whatever a disk, a terminal or a pipe does; what had to be dropped is counted, and the count
//! is logged; nothing that a guest, a server or a child says reaches a terminal as a command, or a file as a line of its own.

#[cfg(test)]
pub(crate) mod captured;
pub mod child;
pub mod console;
pub mod file;
pub mod filter;
pub mod history;
mod layer;
mod log;
mod panics;
pub(crate) mod queue;
pub mod record;
mod start;

use tracing::Level;

pub use self::filter::Wishes;
pub use self::log::{Log, LogGuard};
pub use self::record::Record;
pub use self::start::{Output, StartError, start};

/// Tells that records are missing here.
fn losses(count: u64, reason: &'static str) -> Record {
    let mut record = Record::now(
        Level::WARN,
        module_path!(),
        format!("{count} record(s) are missing here: {reason}"),
    );
    record.set("missing", count);
    record
}

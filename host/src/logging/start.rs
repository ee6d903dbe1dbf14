//! Puts the log of a process together.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::console::{Form, Stderr};
use super::file::{Complaints, LogFile, Rotation};
use super::filter::{Filter, Levels, Wishes};
use super::layer::RecordLayer;
use super::log::{Log, LogGuard, Sink};
use super::panics;
use super::queue::Queue;
use super::record::Record;
use crate::store::durable::StorageError;

/// What becomes of records.
#[derive(Clone, Debug)]
pub enum Output {
    /// A program of its own: stderr is for people, files for programs.
    Console {
        in_colour: bool,
        /// A file that the user named; it is appended to.
        log_file: Option<PathBuf>,
        /// A file that belongs to this process, rotated.
        events: Option<PathBuf>,
    },
    /// A supervised child: stderr takes records as JSON, everything that the supervisor's own console or files may want.
    Records,
}

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    File(#[from] StorageError),
    #[error("cannot start a thread for the log: {0}")]
    Thread(#[from] io::Error),
    #[error("cannot start logging: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the rest of the process.
///
/// # Errors
/// When the file that the user named cannot be written, or logging has been started before.
pub fn start(output: Output, wishes: Wishes<'_>) -> Result<LogGuard, StartError> {
    let levels = Levels::new(wishes);
    let warning = levels.warning.clone();
    let guard = LogGuard::new(Log::new(sinks(output, levels)?));
    tracing_subscriber::registry()
        .with(RecordLayer::new(guard.log().clone()))
        .try_init()?;
    panics::record(guard.log().files());
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(guard)
}

fn sinks(output: Output, levels: Levels) -> Result<Vec<Sink>, StartError> {
    let (in_colour, log_file, events) = match output {
        Output::Records => {
            let filter = Filter::any_of([levels.console, levels.files]);
            return Ok(vec![stderr(Form::Records, filter)?]);
        }
        Output::Console {
            in_colour,
            log_file,
            events,
        } => (in_colour, log_file, events),
    };
    let console = stderr(
        Form::Console { in_colour },
        Filter::any_of([levels.console]),
    )?;
    let queue = Arc::clone(&console.queue);
    let complaints = || -> Complaints {
        let queue = Arc::clone(&queue);
        // Past the filter: also who wants no log wants to know that there is none.
        Box::new(move |record: &Record| {
            let mut line = Vec::new();
            Form::Console { in_colour }.write_line(record, &mut line);
            queue.push(&line);
        })
    };
    let mut sinks = vec![console];
    let mut add = |name: &str, file: LogFile| -> io::Result<()> {
        sinks.push(Sink {
            filter: Filter::any_of([levels.files.clone()]),
            form: Form::Records,
            queue: Queue::start(name, file)?,
        });
        Ok(())
    };
    if let Some(path) = events {
        let file = LogFile::rotated(path, Rotation::default(), complaints());
        add("log-events", file)?;
    }
    if let Some(path) = log_file {
        add("log-file", LogFile::plain(&path, complaints())?)?;
    }
    Ok(sinks)
}

fn stderr(form: Form, filter: Filter) -> io::Result<Sink> {
    let queue = Queue::start("log-stderr", Stderr { form })?;
    Ok(Sink {
        filter,
        form,
        queue,
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn log(output: Output, wishes: Wishes<'_>) -> LogGuard {
        LogGuard::new(Log::new(sinks(output, Levels::new(wishes)).unwrap()))
    }

    #[test]
    fn files_have_what_was_submitted_when_the_guard_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let [named, events] = ["named", "events.jsonl"].map(|name| directory.path().join(name));
        let guard = log(
            Output::Console {
                in_colour: false,
                log_file: Some(named.clone()),
                events: Some(events.clone()),
            },
            Wishes {
                quiet: true,
                ..Wishes::default()
            },
        );
        let mut expected = Vec::new();
        std::thread::scope(|scope| {
            for number in 0..4_u64 {
                let log = guard.log();
                scope.spawn(move || {
                    for _ in 0..250 {
                        let mut record = Record::now(Level::INFO, "extension.x", "hello");
                        record.set("number", number);
                        log.submit(&record);
                    }
                });
            }
        });
        for record in [
            Record::now(Level::WARN, "russh::client", "odd"),
            Record::now(Level::INFO, "russh::client", "not wanted"),
            Record::now(Level::DEBUG, "mngr_latchkey::gateway", "not wanted"),
        ] {
            guard.log().submit(&record);
            expected.push(record);
        }
        drop(guard);
        for path in [named, events] {
            let text = std::fs::read(&path).unwrap();
            let records: Vec<Record> = text
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| Record::parse(line).expect("a record"))
                .collect();
            assert_eq!(records.len(), 1001, "{}", path.display());
            assert_eq!(records.last(), expected.first());
        }
    }

    #[test]
    fn a_supervised_child_writes_whatever_its_supervisor_may_want() {
        let wishes = Wishes {
            verbose: 1,
            rust_log: Some("off,library=trace"),
            ..Wishes::default()
        };
        let guard = log(Output::Records, wishes);
        assert!(guard.log().wants("mngr_latchkey::gateway", Level::DEBUG));
        assert!(guard.log().wants("library", Level::TRACE));
        assert!(!guard.log().wants("russh", Level::INFO));
    }
}

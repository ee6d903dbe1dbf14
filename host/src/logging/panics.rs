//! Panics stand in the files too. On stderr they are shown as ever, at once, also when the process does not live on.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use tracing::Level;

use super::log::Log;
use super::record::Record;

/// From now on, records every panic of the process in `files`.
pub(super) fn record(files: Log) {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        shown(info);
        files.submit(&of_panic(info));
    }));
}

fn of_panic(info: &PanicHookInfo<'_>) -> Record {
    let message = info.payload_as_str().unwrap_or("no message").to_owned();
    let mut record = Record::now(
        Level::ERROR,
        "mngr_latchkey::panic",
        format!("a thread panicked: {message}"),
    );
    if let Some(location) = info.location() {
        record.set("location", location.to_string());
    }
    if let Some(name) = std::thread::current().name() {
        record.set("thread", name.to_owned());
    }
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        record.set("backtrace", backtrace.to_string());
    }
    record
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_panic_is_a_record_that_says_where_and_what() {
        let (sender, records) = sync_channel(1);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some("unlucky") {
                let _ = sender.try_send(of_panic(info));
            } else {
                before(info);
            }
        }));
        let thread = std::thread::Builder::new()
            .name("unlucky".to_owned())
            .spawn(|| panic!("the {} is out", "milk"));
        assert!(thread.unwrap().join().is_err());
        let record = records.try_recv().unwrap();
        assert_eq!(record.message(), "a thread panicked: the milk is out");
        let fields: Vec<_> = record
            .fields()
            .map(|(_, value)| value.to_string())
            .collect();
        assert!(
            fields[0].contains("panics.rs:") && fields[1] == "unlucky",
            "{fields:?}"
        );
    }
}

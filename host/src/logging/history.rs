//! Reads a log back: the file that is written now and those that were put aside, the newest first, each from its beginning.
//!
//! Lines are read one at a time and none is kept, so the size of a log costs time alone. What is no record is passed over, as
//! a line that a crash cut short is. A file that is put aside or removed meanwhile is not read twice, and no error.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;
use memchr::memmem::Finder;

use super::file::rotated;
use super::record::{MAX_LINE, Record};
use crate::store::durable::StorageError;

const CHUNK: usize = 256 * 1024;

/// Calls `found` with each record whose line has `part` in it, until it breaks off. Blocking.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn search<B>(
    log: &Path,
    part: &str,
    mut found: impl FnMut(&Record) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, StorageError> {
    let finder = Finder::new(part);
    each_file(log, |file| {
        each_line(file, |line| match finder.find(line) {
            Some(_) => {
                Record::parse(line).map_or(ControlFlow::Continue(()), |record| found(&record))
            }
            None => ControlFlow::Continue(()),
        })
    })
}

/// When the oldest record that is still there was made; none when there is no record. Blocking.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn beginning(log: &Path) -> Result<Option<Timestamp>, StorageError> {
    let mut beginning = None;
    let _: ControlFlow<()> = each_file(log, |file| {
        let first = each_line(file, |line| {
            Record::parse(line).map_or(ControlFlow::Continue(()), |record| {
                ControlFlow::Break(record.timestamp())
            })
        })?;
        beginning = first.break_value().or(beginning);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(beginning)
}

fn each_file<B>(
    log: &Path,
    mut read: impl FnMut(BufReader<File>) -> io::Result<ControlFlow<B>>,
) -> Result<ControlFlow<B>, StorageError> {
    // Opened before the others are listed: if it is put aside in between, it is met twice and known by its number.
    let current = open(log)?;
    let mut aside = rotated(log);
    aside.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    let aside = aside
        .into_iter()
        .map(|(_, path)| open(&path).map(|file| (path, file)));
    let mut known = Vec::new();
    for opened in std::iter::once(Ok((log.to_owned(), current))).chain(aside) {
        let (path, file) = match opened? {
            (path, Some(file)) => (path, file),
            (_, None) => continue,
        };
        let error = |source| StorageError::new("read the log file", &path, source);
        let metadata = file.metadata().map_err(error)?;
        let identity = (metadata.dev(), metadata.ino());
        if known.contains(&identity) {
            continue;
        }
        known.push(identity);
        let file = BufReader::with_capacity(CHUNK, file);
        if let stopped @ ControlFlow::Break(_) = read(file).map_err(error)? {
            return Ok(stopped);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn open(path: &Path) -> Result<Option<File>, StorageError> {
    // A pipe in the place of a log is not waited for, and reads as empty.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StorageError::new("read the log file", path, source)),
    }
}

fn each_line<B>(
    mut file: impl BufRead,
    mut found: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> io::Result<ControlFlow<B>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut longest = file.by_ref().take(MAX_LINE as u64 + 1);
        if longest.read_until(b'\n', &mut line)? == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if line.last() != Some(&b'\n') {
            // No record is so long.
            file.skip_until(b'\n')?;
        }
        if let stopped @ ControlFlow::Break(_) = found(&line) {
            return Ok(stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tracing::Level;

    use super::*;

    fn line(second: u8, message: &str) -> String {
        let time = format!("2026-11-21T12:00:{second:02}Z").parse().unwrap();
        let mut line = Vec::new();
        Record::new(time, Level::INFO, "test", message.to_owned()).write_line(&mut line);
        String::from_utf8(line).unwrap()
    }

    fn messages(log: &Path, part: &str) -> Vec<String> {
        let mut messages = Vec::new();
        let _: ControlFlow<()> = search(log, part, |record| {
            messages.push(record.message().to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        messages
    }

    #[test]
    fn the_newest_file_comes_first_and_only_records_with_the_part_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("events.jsonl");
        assert_eq!(messages(&log, ""), [""; 0], "there is no log");
        assert_eq!(beginning(&log).unwrap(), None);
        let long = format!("{{\"message\":\"{}", "x".repeat(2 * MAX_LINE));
        let files = [
            ("events.jsonl.9", line(1, "oldest b")),
            (
                "events.jsonl.10",
                line(2, "older a") + "half a {\n" + &line(3, "older b"),
            ),
            (
                "events.jsonl",
                long + "\n" + &line(4, "new a") + "{\"message\":\"cut a",
            ),
            ("events.jsonl.bak", line(5, "strange a")),
        ];
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        assert_eq!(messages(&log, " a"), ["new a", "older a"]);
        assert_eq!(messages(&log, "older"), ["older a", "older b"]);
        let first = search(&log, " b", |record| {
            ControlFlow::Break(record.message().to_owned())
        });
        assert_eq!(first.unwrap().break_value().as_deref(), Some("older b"));
        let oldest = beginning(&log).unwrap().map(|time| time.to_string());
        assert_eq!(oldest.as_deref(), Some("2026-11-21T12:00:01Z"));
    }

    #[test]
    fn a_file_under_two_names_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("events.jsonl");
        fs::write(&log, line(1, "a")).unwrap();
        fs::hard_link(&log, directory.path().join("events.jsonl.1")).unwrap();
        assert_eq!(messages(&log, ""), ["a"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("events.jsonl");
        fs::create_dir(&log).unwrap();
        let error = beginning(&log).unwrap_err().to_string();
        assert!(error.contains("events.jsonl"), "{error}");
    }
}

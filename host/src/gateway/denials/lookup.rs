//! Finds denials in the log again. Blocking; the log's size costs time alone.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::entry::{Denial, Entry, Kind};
use super::is_request_id;
use crate::logging::history;
use crate::store::durable::StorageError;
use crate::store::ids::HostId;

/// More kinds than a person reads; the others are counted together.
const MOST_KINDS: usize = 10_000;

/// Why there is no denial to show.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("'{0}' is not a request id: copy the 32 hexadecimal characters of the header {header} of a 403", header = super::HEADER)]
    Malformed(String),
    #[error(
        "no denial has the id {id} in {}{}: it is of another latchkey directory, or its record is gone, as full logs are removed \
         in time, or it was one of very many in a row, which are counted",
        log.display(),
        reach(*beginning)
    )]
    NotFound {
        id: String,
        log: PathBuf,
        /// When the oldest record was made that the log still has.
        beginning: Option<Timestamp>,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn reach(beginning: Option<Timestamp>) -> String {
    match beginning {
        Some(beginning) => format!(", which goes back to {beginning:.0}"),
        None => ", which is empty".to_owned(),
    }
}

/// The denial whose 403 had this id, from `log` (the directory's `events.jsonl`) or the full files beside it.
pub fn find(log: &Path, id: &str) -> Result<Denial, FindError> {
    let id = id.trim().to_ascii_lowercase();
    if !is_request_id(&id) {
        return Err(FindError::Malformed(id));
    }
    let found = history::search(log, &id, |record| match Entry::read(record) {
        Some(Entry::One(denial)) if denial.request_id == id => ControlFlow::Break(denial),
        _ => ControlFlow::Continue(()),
    })?;
    match found {
        ControlFlow::Break(denial) => Ok(denial),
        ControlFlow::Continue(()) => Err(FindError::NotFound {
            beginning: history::beginning(log)?,
            log: log.to_owned(),
            id,
        }),
    }
}

/// What a host's permissions file would have denied while the host was in observe mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WouldBeDenials {
    /// The latest first.
    pub kinds: Vec<(Kind, Occurrences)>,
    /// Those of which the log does not say what they were.
    pub others: u64,
}

/// How often something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrences {
    pub count: u64,
    pub last: Timestamp,
    /// To be explained; none if all were only counted.
    pub request_id: Option<String>,
}

impl WouldBeDenials {
    pub fn total(&self) -> u64 {
        self.kinds
            .iter()
            .map(|(_, occurrences)| occurrences.count)
            .fold(self.others, u64::saturating_add)
    }
}

/// What would have been denied to agents of the host since then, from `log` and the full files beside it.
pub fn would_be_denials(
    log: &Path,
    host: &HostId,
    since: Timestamp,
) -> Result<WouldBeDenials, StorageError> {
    let mut found = Tally::default();
    let _: ControlFlow<()> = history::search(log, host.as_str(), |record| {
        match Entry::read(record) {
            Some(Entry::One(denial))
                if !denial.enforced && denial.host.as_ref() == Some(host) && denial.at >= since =>
            {
                found.add(denial.kind(), 1, denial.at, Some(denial.request_id));
            }
            Some(Entry::Many(summary))
                if !summary.enforced
                    && summary.host.as_ref() == Some(host)
                    && summary.since >= since =>
            {
                match summary.what {
                    Some(kind) => found.add(kind, summary.count, summary.at, None),
                    None => found.others = found.others.saturating_add(summary.count),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.sorted())
}

#[derive(Default)]
struct Tally {
    kinds: HashMap<Kind, Occurrences>,
    others: u64,
}

impl Tally {
    fn add(&mut self, kind: Kind, count: u64, at: Timestamp, request_id: Option<String>) {
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&kind) {
            self.others = self.others.saturating_add(count);
            return;
        }
        let known = self.kinds.entry(kind).or_insert(Occurrences {
            count: 0,
            last: at,
            request_id: None,
        });
        known.count = known.count.saturating_add(count);
        // Files come newest first, so later lines may be older.
        if request_id.is_some() && (at >= known.last || known.request_id.is_none()) {
            known.request_id = request_id;
        }
        known.last = known.last.max(at);
    }

    fn sorted(self) -> WouldBeDenials {
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_unstable_by(|(one, a), (other, b)| {
            b.last.cmp(&a.last).then_with(|| one.cmp(other))
        });
        WouldBeDenials {
            kinds,
            others: self.others,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;
    use tracing::Level;

    use super::super::TARGET;
    use super::*;
    use crate::logging::Record;

    const HOST: &str = "host-11111111111111111111111111111111";
    const OTHER_HOST: &str = "host-22222222222222222222222222222222";

    fn time(minute: u8) -> Timestamp {
        format!("2026-11-21T12:{minute:02}:00Z").parse().unwrap()
    }

    fn id(number: u8) -> String {
        format!("{number:032x}")
    }

    fn record(minute: u8, host: &'static str, enforced: bool) -> Record {
        let mut record = Record::new(time(minute), Level::WARN, TARGET, "denied");
        record.set("enforced", enforced);
        record.set("host", host);
        record.set("permissions_file", "/p.json");
        record
    }

    /// A denial of `GET path`, under the minute as id.
    fn one(minute: u8, host: &'static str, enforced: bool, path: &str) -> String {
        let mut record = record(minute, host, enforced);
        record.set("request_id", id(minute));
        record.set(
            "request",
            json!({"method": "GET", "path": path}).to_string(),
        );
        line(&record)
    }

    fn many(minute: u8, count: u64, path: Option<&'static str>) -> String {
        let mut record = record(minute, HOST, false);
        record.set("count", count);
        record.set("since", time(minute).to_string());
        if let Some(path) = path {
            record.set("method", "GET");
            record.set("path", path);
        }
        line(&record)
    }

    fn line(record: &Record) -> String {
        let mut line = Vec::new();
        record.write_line(&mut line);
        String::from_utf8(line).unwrap()
    }

    fn log(full: &[String], current: &[String]) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("events.jsonl");
        fs::write(directory.path().join("events.jsonl.1"), full.concat()).unwrap();
        fs::write(&log, current.concat()).unwrap();
        (directory, log)
    }

    #[test]
    fn a_denial_is_found_by_its_id_in_full_files_too() {
        let old = [one(1, HOST, true, "/old")];
        let (_directory, log) = log(&old, &[one(2, HOST, true, "/new")]);
        for (number, path) in [(1, "/old"), (2, "/new")] {
            let found = find(&log, &format!(" {} ", id(number).to_uppercase())).unwrap();
            assert_eq!(found.request.path(), path);
            assert_eq!(found.at, time(number));
        }
    }

    #[test]
    fn what_is_not_there_says_how_far_the_log_goes_back() {
        let (_directory, log) = log(&[one(1, HOST, true, "/x")], &[]);
        let error = find(&log, &id(9)).unwrap_err().to_string();
        for part in ["2026-11-21T12:01:00Z", &id(9), "events.jsonl"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let missing = log.with_file_name("none.jsonl");
        let error = find(&missing, &id(9)).unwrap_err().to_string();
        assert!(error.contains("empty"), "{error}");
        for wrong in ["", "x", &id(9)[1..]] {
            let error = find(&log, wrong).unwrap_err();
            assert!(matches!(error, FindError::Malformed(_)), "{error}");
        }
    }

    #[test]
    fn would_be_denials_of_a_host_are_counted_by_kind_the_latest_first() {
        let full = [
            one(1, HOST, false, "/before"),
            one(3, HOST, false, "/a"),
            one(4, HOST, false, "/b"),
            many(5, 7, Some("/a")),
            many(5, 2, None),
        ];
        let current = [
            one(6, HOST, false, "/a"),
            one(7, HOST, true, "/enforced"),
            one(8, OTHER_HOST, false, "/other"),
            one(9, HOST, false, OTHER_HOST),
        ];
        let (_directory, log) = log(&full, &current);
        let host = HostId::parse(HOST).unwrap();
        let found = would_be_denials(&log, &host, time(2)).unwrap();
        let kinds: Vec<(&str, u64, Timestamp, Option<String>)> = found
            .kinds
            .iter()
            .map(|(kind, of)| (kind.path.as_str(), of.count, of.last, of.request_id.clone()))
            .collect();
        let expected = [
            (OTHER_HOST, 1, time(9), Some(id(9))),
            ("/a", 9, time(6), Some(id(6))),
            ("/b", 1, time(4), Some(id(4))),
        ];
        assert_eq!(kinds, expected);
        assert_eq!((found.others, found.total()), (2, 13));
    }
}

//! How much of the log each permissions file may have for its denials.
//!
//! A burst is logged one by one; so many bytes a minute after that. What finds no room is counted by kind, and the counts are
//! logged now and then (`settle`), so that nothing is lost but the details of what was too much. Files do not share their
//! room: what one agent does shows in its own part alone. Memory is bounded, whatever the requests are.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::entry::{Denial, Kind, Summary};
use super::request::shortened;

/// In bytes: some hundred denials. All of the log is 110 MB.
const BURST: f64 = 256.0 * 1024.0;
/// A day of it is a fifth of the log.
const BYTES_A_SECOND: f64 = 256.0;
/// Kinds that are counted apart between two settlings.
const MOST_KINDS: usize = 16;
/// Files beyond so many share one part.
const MOST_ACCOUNTS: usize = 4096;
/// In characters.
const LONGEST_PATH: usize = 256;

#[derive(Default)]
pub(super) struct Ledger(Mutex<HashMap<Arc<Path>, Account>>);

/// The part of one permissions file.
struct Account {
    room: f64,
    /// When `room` was right.
    at: Instant,
    counted: Vec<Summary>,
}

impl Ledger {
    /// Whether there is room to log the denial by itself. If there is none, it is counted.
    pub(super) fn admits(&self, permissions: &Arc<Path>, denial: &Denial, now: Instant) -> bool {
        let mut accounts = self.lock();
        let is_known = accounts.contains_key(permissions);
        if !is_known && accounts.len() >= MOST_ACCOUNTS {
            accounts.retain(|_, account| !account.is_idle(now));
        }
        let owner = if is_known || accounts.len() < MOST_ACCOUNTS {
            Arc::clone(permissions)
        } else {
            Path::new("").into()
        };
        let account = accounts.entry(owner).or_insert(Account {
            room: BURST,
            at: now,
            counted: Vec::new(),
        });
        account.refill(now);
        let size = f64::from(denial.size());
        let has_room = account.room >= size;
        if has_room {
            account.room -= size;
        } else {
            account.count(denial);
        }
        has_room
    }

    /// Takes what was counted since the last time.
    pub(super) fn settle(&self) -> Vec<Summary> {
        let mut accounts = self.lock();
        let accounts = accounts.values_mut();
        accounts
            .flat_map(|account| std::mem::take(&mut account.counted))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Path>, Account>> {
        // Nothing under the lock leaves half a change behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.room = BURST.min(self.room + passed.as_secs_f64() * BYTES_A_SECOND);
        self.at = now;
    }

    /// Whether nothing is lost with it.
    fn is_idle(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.counted.is_empty() && self.room + passed.as_secs_f64() * BYTES_A_SECOND >= BURST
    }

    fn count(&mut self, denial: &Denial) {
        let kind = Kind {
            path: shortened(denial.request.path(), LONGEST_PATH),
            ..denial.kind()
        };
        let is_same = |summary: &Summary, what: Option<&Kind>| {
            summary.what.as_ref() == what
                && summary.enforced == denial.enforced
                && summary.host == denial.host
        };
        let has_room = self.counted.len() < MOST_KINDS;
        let is_counted = self
            .counted
            .iter()
            .any(|summary| is_same(summary, Some(&kind)));
        let what = (is_counted || has_room).then_some(kind);
        let known = self
            .counted
            .iter_mut()
            .find(|summary| is_same(summary, what.as_ref()));
        match known {
            Some(summary) => {
                summary.count = summary.count.saturating_add(1);
                summary.at = denial.at;
            }
            None => self.counted.push(Summary {
                since: denial.at,
                at: denial.at,
                count: 1,
                enforced: denial.enforced,
                permissions: denial.permissions.clone(),
                host: denial.host.clone(),
                what,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;

    use super::super::entry::Cause;
    use super::super::request::LoggedRequest;
    use super::*;

    fn denial(path: &str, enforced: bool) -> Denial {
        let request = json!({"method": "GET", "path": path}).to_string();
        Denial {
            at: Timestamp::UNIX_EPOCH,
            request_id: "0".repeat(32),
            cause: Cause::NoRule,
            enforced,
            permissions: "/p.json".into(),
            host: None,
            request: LoggedRequest::parse(&request).unwrap(),
        }
    }

    /// How many of `count` denials are logged one by one.
    fn admitted(ledger: &Ledger, file: &Arc<Path>, count: usize, now: Instant) -> usize {
        let denial = denial("/x", true);
        (0..count)
            .filter(|_| ledger.admits(file, &denial, now))
            .count()
    }

    #[test]
    fn after_a_burst_there_is_room_as_time_goes_by_and_the_rest_is_counted() {
        let ledger = Ledger::default();
        let (file, start) = (Arc::from(Path::new("/p.json")), Instant::now());
        let burst = admitted(&ledger, &file, 10_000, start);
        assert!((100..1000).contains(&burst), "{burst}");
        assert_eq!(admitted(&ledger, &file, 10, start), 0);
        let counted: Vec<u64> = ledger.settle().iter().map(|one| one.count).collect();
        assert_eq!(counted, [10_010 - burst as u64]);
        assert!(ledger.settle().is_empty(), "they were taken");

        let minute = admitted(&ledger, &file, 10_000, start + Duration::from_secs(60));
        assert!((1..burst / 4).contains(&minute), "{minute} after {burst}");
        let day = start + Duration::from_secs(24 * 3600);
        assert_eq!(
            admitted(&ledger, &file, 10_000, day),
            burst,
            "no more than a burst"
        );
    }

    #[test]
    fn one_files_flood_takes_nothing_from_another() {
        let ledger = Ledger::default();
        let now = Instant::now();
        let [loud, quiet] = ["/loud", "/quiet"].map(|name| Arc::from(Path::new(name)));
        admitted(&ledger, &loud, 10_000, now);
        assert_eq!(admitted(&ledger, &quiet, 50, now), 50);
    }

    #[test]
    fn kinds_are_counted_apart_up_to_a_bound() {
        let ledger = Ledger::default();
        let (file, now) = (Arc::from(Path::new("/p.json")), Instant::now());
        admitted(&ledger, &file, 10_000, now);
        ledger.settle();
        for number in 0..3 * MOST_KINDS {
            assert!(!ledger.admits(&file, &denial(&format!("/{number}"), true), now));
        }
        assert!(!ledger.admits(&file, &denial("/0", true), now));
        assert!(!ledger.admits(&file, &denial("/0", false), now));
        let counted = ledger.settle();
        assert_eq!(counted.len(), MOST_KINDS + 2, "{counted:?}");
        let total: u64 = counted.iter().map(|one| one.count).sum();
        assert_eq!(total, 3 * MOST_KINDS as u64 + 2);
        let first = counted.first().unwrap();
        let path = first.what.as_ref().map(|kind| kind.path.as_str());
        assert_eq!((first.count, path), (2, Some("/0")));
        let others = counted.iter().filter(|one| one.what.is_none());
        let others: Vec<(u64, bool)> = others.map(|one| (one.count, one.enforced)).collect();
        assert_eq!(others, [(2 * MOST_KINDS as u64, true), (1, false)]);
    }

    #[test]
    fn however_many_files_there_are_the_memory_is_bounded() {
        let ledger = Ledger::default();
        let now = Instant::now();
        let one = denial("/x", true);
        for number in 0..2 * MOST_ACCOUNTS {
            let file = Arc::from(Path::new(&format!("/{number}")));
            ledger.admits(&file, &one, now);
        }
        assert!(ledger.lock().len() <= MOST_ACCOUNTS + 1);
        let later = now + Duration::from_secs(3600);
        assert!(ledger.admits(&Arc::from(Path::new("/new")), &one, later));
        // The part that the latecomers shared has something to tell yet.
        assert_eq!(ledger.lock().len(), 2, "idle ones give way");
    }
}

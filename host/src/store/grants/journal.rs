//! The journal's file: one JSON object a line and an edit, appended and synced.
//!
//! Whoever writes holds the lock of the file's directory. A line that was cut by a crash, or that is no entry, is passed over.
//! When the file has grown to `COMPACT_AT`, what says nothing about the permissions file any more is left out of it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::durable::{self, PRIVATE_FILE, StorageError};
use super::super::permissions_file::Version;
use super::{Action, By, Change, changes, members};

/// Far more edits than anybody makes in a year.
const COMPACT_AT: usize = 256 * 1024;
/// Keeps a mistake from filling the memory.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub at: Timestamp,
    pub by: By,
    pub changes: Vec<Change>,
    /// The version of the permissions file that the edit started from, as hexadecimal digits; none when there was no file.
    pub from: Option<String>,
}

/// A note of an edit that is about to be made.
#[must_use = "an edit that fails must be withdrawn"]
pub(in crate::store) struct Note {
    journal: PathBuf,
    /// How long the journal was before.
    length: u64,
}

impl Note {
    /// Notes that the content of the permissions file at `path`, links resolved, becomes `after`. None when that changes no
    /// grant, or when the journal cannot be written, which is logged.
    pub(in crate::store) fn take(
        path: &Path,
        before: Option<&[u8]>,
        after: &[u8],
        by: &By,
    ) -> Option<Self> {
        let old = match before {
            Some(content) => members(content)?,
            None => Map::new(),
        };
        let new = members(after)?;
        let changes = changes::between(&old, &new);
        if changes.is_empty() {
            return None;
        }
        let entry = Entry {
            at: Timestamp::now(),
            by: by.clone(),
            changes,
            from: before.map(|content| shown(Version::of(content))),
        };
        let journal = beside(path);
        let noted = note(&journal, &entry, &old);
        noted
            .inspect_err(|error| {
                tracing::warn!(
                    "{error}; {} is changed all the same, and `permissions list` will not know since when",
                    path.display()
                );
            })
            .ok()
            .map(|length| Self { journal, length })
    }

    /// Takes it back: the edit was not made.
    pub(in crate::store) fn withdraw(self) {
        let cut = OpenOptions::new()
            .write(true)
            .open(&self.journal)
            .and_then(|file| file.set_len(self.length));
        if let Err(error) = cut {
            // The next edit sees that this one was not made.
            tracing::debug!("{}: {error}", self.journal.display());
        }
    }
}

/// Appends an entry to the journal of a file that holds `current`, and gives the length before that.
fn note(journal: &Path, entry: &Entry, current: &Map<String, Value>) -> Result<u64, StorageError> {
    let failed = |source| StorageError::new("write", journal, source);
    let line = render(entry).map_err(failed)?;
    let Some((content, _)) = durable::read(journal, SIZE_LIMIT)? else {
        durable::write(journal, &line, PRIVATE_FILE)?;
        return Ok(0);
    };
    let mut kept = without_unmade(&content, entry.from.as_deref()).to_vec();
    if kept.last().is_some_and(|byte| *byte != b'\n') {
        kept.push(b'\n');
    }
    if kept.len() >= COMPACT_AT {
        kept = compact(parse(&kept).collect(), current).map_err(failed)?;
    }
    if kept != content {
        durable::write(journal, &kept, PRIVATE_FILE)?;
    }
    append(journal, &line).map_err(failed)?;
    Ok(u64::try_from(kept.len()).unwrap_or(u64::MAX))
}

fn append(journal: &Path, line: &[u8]) -> io::Result<()> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(nofollow)
        .open(journal)?;
    file.write_all(line)?;
    file.sync_data()
}

/// The entries of the journal of the permissions file at `path`, whose version is `current`.
pub(super) fn entries(path: &Path, current: Version) -> Result<Vec<Entry>, StorageError> {
    let found = durable::read(&beside(path), SIZE_LIMIT)?;
    let content = found.map_or_else(Vec::new, |(content, _)| content);
    Ok(parse(without_unmade(&content, Some(&shown(current)))).collect())
}

/// Gives the journal of the permissions file at `from` to that at `to`, which has just got its content. It stays where it is, too.
pub(in crate::store) fn adopt(from: &Path, to: &Path) {
    let adopt = || {
        let Some((mut content, _)) = durable::read(&beside(from), SIZE_LIMIT)? else {
            return Ok(());
        };
        let to = beside(to);
        if let Some((older, _)) = durable::read(&to, SIZE_LIMIT)? {
            content.splice(0..0, older.into_iter().chain([b'\n']));
        }
        durable::write(&to, &content, PRIVATE_FILE)
    };
    let adopted: Result<(), StorageError> = adopt();
    if let Err(error) = adopted {
        tracing::warn!(
            "{error}; `permissions list` will not know since when {} grants what it grants",
            to.display()
        );
    }
}

/// Removes the journal of a permissions file that is no more.
pub(in crate::store) fn discard(path: &Path) {
    if let Err(error) = durable::remove(&beside(path)) {
        tracing::debug!("{error}");
    }
}

/// The journal of a permissions file.
fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".grants.jsonl");
    name.into()
}

fn shown(version: Version) -> String {
    format!("{:016x}", version.0)
}

fn render(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// What is an entry. What is none may be one to another version of this program.
fn parse(content: &[u8]) -> impl Iterator<Item = Entry> {
    content
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

/// The content without a last line that was cut, and without a last edit that was not made: the file, at `current`, still is
/// what that edit started from.
fn without_unmade<'a>(content: &'a [u8], current: Option<&str>) -> &'a [u8] {
    let lines = content.strip_suffix(b"\n").unwrap_or(content);
    let start = lines
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let (before, last) = content.split_at(start);
    let is_whole = last.ends_with(b"\n");
    match serde_json::from_slice::<Entry>(last) {
        Ok(entry) if entry.from.as_deref() == current => before,
        Err(_) if !is_whole => before,
        _ => content,
    }
}

/// What of the entries says something about the grants of `current`: not what was overtaken, or is granted no more.
fn compact(mut entries: Vec<Entry>, current: &Map<String, Value>) -> io::Result<Vec<u8>> {
    let mut wanted: HashSet<(String, Option<String>)> = HashSet::new();
    for granted in changes::between(&Map::new(), current) {
        wanted.extend(granted.grants());
    }
    // The newest entry about a grant is the one that counts.
    for entry in entries.iter_mut().rev() {
        for change in entry.changes.iter_mut().rev() {
            let counting: Vec<_> = change
                .grants()
                .filter(|grant| wanted.remove(grant))
                .collect();
            change.permissions = counting
                .iter()
                .filter_map(|(_, name)| name.clone())
                .collect();
            if counting.is_empty() {
                change.action = Action::Revoke;
            }
        }
        entry
            .changes
            .retain(|change| change.action != Action::Revoke);
    }
    entries.retain(|entry| !entry.changes.is_empty());
    let lines: io::Result<Vec<_>> = entries.iter().map(render).collect();
    Ok(lines?.concat())
}

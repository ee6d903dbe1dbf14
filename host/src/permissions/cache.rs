//! Compiled rules, kept for as long as the files that they were read from stay as they are.
//!
//! Every use looks at the version of every file that took part, of missing ones too. A version that is too young to tell
//! from a change in the same moment is not trusted: the content is read again and compared until it has settled. Failures
//! are kept like successes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::builtin::BuiltinSchemas;
use super::decision::Ruleset;
use super::error::CheckError;
use super::include::{self, Source};
use super::version::Version;

/// Every agent has a file of its own; this is far more than one machine serves.
const CAPACITY: usize = 4096;

pub(super) struct Cache {
    builtin: BuiltinSchemas,
    entries: quick_cache::sync::Cache<PathBuf, Arc<Entry>>,
}

type Outcome = Result<Arc<Ruleset>, CheckError>;

struct Entry {
    sources: Vec<Source>,
    outcome: Outcome,
    /// Whether every change from now on shows in the versions.
    settled: AtomicBool,
}

impl Cache {
    pub(super) fn new(builtin: BuiltinSchemas) -> Self {
        Self {
            builtin,
            entries: quick_cache::sync::Cache::new(CAPACITY),
        }
    }

    /// The rules at `path` when they are known and still hold.
    pub(super) fn fresh(&self, path: &Path) -> Option<Outcome> {
        let entry = self.entries.get(path)?;
        let holds = entry.settled.load(Ordering::Acquire) && entry.has_same_versions();
        holds.then(|| entry.outcome.clone())
    }

    /// The rules at `path`, read and compiled as far as needed. Blocking.
    pub(super) fn load(&self, path: &Path) -> Outcome {
        let now = SystemTime::now();
        if let Some(entry) = self.entries.get(path)
            && entry.has_same_versions()
            && entry.has_same_content()
        {
            entry
                .settled
                .store(entry.is_settled_at(now), Ordering::Release);
            return entry.outcome.clone();
        }
        let loaded = include::load(path, None);
        let entry = Arc::new(Entry {
            outcome: loaded
                .merged
                .and_then(|merged| Ruleset::compile(path, merged, self.builtin))
                .map(Arc::new),
            sources: loaded.sources,
            settled: AtomicBool::new(false),
        });
        entry
            .settled
            .store(entry.is_settled_at(now), Ordering::Release);
        let outcome = entry.outcome.clone();
        self.entries.insert(path.to_owned(), entry);
        outcome
    }
}

impl Entry {
    fn has_same_versions(&self) -> bool {
        self.sources
            .iter()
            .all(|source| Version::now_at(&source.path) == source.version)
    }

    fn has_same_content(&self) -> bool {
        self.sources
            .iter()
            .all(|source| match include::read(&source.path) {
                Ok(Some((version, content))) => {
                    Some(version) == source.version && source.content.as_deref() == Some(&content)
                }
                Ok(None) => source.version.is_none() && source.content.is_none(),
                // Whether a failure is still the same one shows only when the file is loaded anew.
                Err(_) => false,
            })
    }

    /// `now` is a moment before the content was read.
    fn is_settled_at(&self, now: SystemTime) -> bool {
        self.sources.iter().all(|source| {
            source
                .version
                .is_none_or(|version| version.is_settled_at(now))
        })
    }
}

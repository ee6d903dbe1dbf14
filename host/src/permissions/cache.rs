//! Compiled rules, kept for as long as the files that they were read from stay as they are.
//!
//! Every use looks at the stamp of every file that took part, of missing ones too. Where a stamp does not prove that its
//! file is the same, the file is read again; what was compiled is kept when every content is the same after all. Failures
//! are kept like successes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builtin::BuiltinSchemas;
use super::decision::Ruleset;
use super::error::CheckError;
use super::include::{self, Source};
use crate::store::stamp::Stamp;

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
}

impl Cache {
    pub(super) fn new(builtin: BuiltinSchemas) -> Self {
        Self {
            builtin,
            entries: quick_cache::sync::Cache::new(CAPACITY),
        }
    }

    /// The rules at `path`, whose stamp is `now`, when they are known and still hold.
    pub(super) fn fresh(&self, path: &Path, now: &Stamp) -> Option<Outcome> {
        let entry = self.entries.get(path)?;
        entry.is_current(now).then(|| entry.outcome.clone())
    }

    /// The rules at `path`, read and compiled as far as needed. Blocking.
    pub(super) fn load(&self, path: &Path) -> Outcome {
        let known = self.entries.get(path);
        let entry = known
            .and_then(|entry| entry.read_again())
            .unwrap_or_else(|| Entry::compile(path, self.builtin.clone()));
        let outcome = entry.outcome.clone();
        self.entries.insert(path.to_owned(), Arc::new(entry));
        outcome
    }
}

impl Entry {
    fn compile(path: &Path, builtin: BuiltinSchemas) -> Self {
        let loaded = include::load(path, None);
        let outcome = loaded
            .merged
            .and_then(|merged| Ruleset::compile(path, merged, builtin));
        Self {
            sources: loaded.sources,
            outcome: outcome.map(Arc::new),
        }
    }

    /// `now` is the stamp of the file itself, which is the first of the sources.
    fn is_current(&self, now: &Stamp) -> bool {
        self.sources.split_first().is_some_and(|(file, includes)| {
            file.stamp.is_same(now)
                && includes
                    .iter()
                    .all(|include| include.stamp.is_current(&include.path))
        })
    }

    /// The same with stamps of now; `None` when a content has changed.
    fn read_again(&self) -> Option<Self> {
        let sources = self
            .sources
            .iter()
            .map(|source| {
                let now = Source::read(source.path.clone());
                (now.content == source.content).then_some(now)
            })
            .collect::<Option<_>>()?;
        Some(Self {
            sources,
            outcome: self.outcome.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::*;

    const NOBODY: &str = r#"{"rules": []}"#;

    fn fresh(cache: &Cache, path: &Path) -> Option<Outcome> {
        cache.fresh(path, &Stamp::of(path).expect("a stamp"))
    }

    /// Loads until a look at the stamps is enough.
    fn settle(cache: &Cache, path: &Path) -> Outcome {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let loaded = cache.load(path);
            if fresh(cache, path).is_some() {
                return loaded;
            }
            assert!(Instant::now() < deadline, "{path:?} does not settle");
            std::thread::yield_now();
        }
    }

    #[test]
    fn rules_are_compiled_anew_only_when_a_content_has_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("root.json");
        let cache = Cache::new(BuiltinSchemas::none());
        fs::write(&path, NOBODY).expect("written");
        let first = settle(&cache, &path).expect("rules");
        fs::write(&path, NOBODY).expect("written");
        assert!(fresh(&cache, &path).is_none(), "the file was written");
        let same = settle(&cache, &path).expect("rules");
        assert!(Arc::ptr_eq(&first, &same));
        fs::write(&path, format!("{NOBODY} ")).expect("written");
        let other = settle(&cache, &path).expect("rules");
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[test]
    fn missing_files_and_failures_are_kept_until_they_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("root.json");
        let cache = Cache::new(BuiltinSchemas::none());
        settle(&cache, &path).expect("no rules");
        fs::create_dir(&path).expect("a directory");
        assert!(fresh(&cache, &path).is_none(), "something is there now");
        settle(&cache, &path).expect_err("a directory is no file");
        fs::remove_dir(&path).expect("removed");
        assert!(fresh(&cache, &path).is_none(), "nothing is there now");
        cache.load(&path).expect("no rules");
    }
}

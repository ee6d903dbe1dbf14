//! Shared directory syncs: writers that finish at the same time in one directory wait for one fsync instead of one each.
//!
//! A writer joins the next sync after its own change, so the sync that it waits for always started after that change;
//! nothing is acknowledged by a sync that was already under way. A failed sync fails for everybody who waited for it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

/// The outcome of one sync, shared by its waiters; an `io::Error` itself cannot be shared.
type Outcome = Result<(), (io::ErrorKind, Option<i32>)>;

#[derive(Default)]
struct Round {
    outcome: OnceLock<Outcome>,
}

#[derive(Default)]
struct State {
    running: bool,
    next: Arc<Round>,
}

#[derive(Default)]
struct Directory {
    state: Mutex<State>,
    finished: Condvar,
}

static DIRECTORIES: LazyLock<Mutex<HashMap<PathBuf, Arc<Directory>>>> =
    LazyLock::new(Mutex::default);

/// Returns when every change made to `path`'s entries before this call is on disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    let directory = Arc::clone(lock(&DIRECTORIES).entry(path.to_owned()).or_default());
    let outcome = directory.join(path);
    let mut directories = lock(&DIRECTORIES);
    // One reference is the map's and one ours: nobody else is waiting.
    if Arc::strong_count(&directory) == 2 {
        directories.remove(path);
    }
    outcome
}

impl Directory {
    fn join(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        let round = Arc::clone(&state.next);
        loop {
            if let Some(outcome) = round.outcome.get() {
                return outcome.map_err(restore);
            }
            if !state.running {
                break;
            }
            state = self
                .finished
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.running = true;
        state.next = Arc::default();
        drop(state);

        let result = File::open(path).and_then(|directory| directory.sync_all());
        let outcome = match &result {
            Ok(()) => Ok(()),
            Err(error) => Err((error.kind(), error.raw_os_error())),
        };

        let mut state = lock(&self.state);
        state.running = false;
        // Set once: only the writer that started a round finishes it.
        let _ = round.outcome.set(outcome);
        self.finished.notify_all();
        result
    }
}

fn restore((kind, code): (io::ErrorKind, Option<i32>)) -> io::Error {
    code.map_or_else(|| io::Error::from(kind), io::Error::from_raw_os_error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_writers_all_return_and_leave_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..20).for_each(|_| sync(directory.path()).unwrap()));
            }
        });
        assert!(!lock(&DIRECTORIES).contains_key(directory.path()));
    }

    #[test]
    fn a_failure_reaches_the_caller() {
        let error = sync(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

//! Locks across threads and processes, which the kernel releases with the process.
//!
//! `DirectoryLock` serialises writers of the permissions files in one directory. It is an advisory lock on the directory itself,
//! so it leaves no file behind. It blocks; it is held for the time of one edit and never across an await. Who takes two takes
//! the host's directory first, then the handles' directory.
//!
//! `FileLock` is for what takes longer than an edit: its file is locked by nobody else.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use super::durable::{PRIVATE_FILE, StorageError};

/// Released when dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _directory: File,
}

impl DirectoryLock {
    /// Waits until nobody else holds the lock of `directory`, which must exist.
    pub fn acquire(directory: &Path) -> Result<Self, StorageError> {
        acquire(directory).map_err(|source| StorageError::new("lock", directory, source))
    }
}

/// Released when dropped. The file stays.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits until nobody else holds the lock of the file at `path`, which is made if it is missing.
    pub fn acquire(path: &Path) -> Result<Self, StorageError> {
        let lock = || {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(PRIVATE_FILE)
                .open(path)?;
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            Ok(Self { _file: file })
        };
        lock().map_err(|source| StorageError::new("lock", path, source))
    }
}

fn acquire(path: &Path) -> io::Result<DirectoryLock> {
    loop {
        let directory = File::open(path)?;
        retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive))?;
        let locked = directory.metadata()?;
        let current = fs::metadata(path)?;
        // Whoever held it may have moved the directory away and put another in its place.
        if (locked.dev(), locked.ino()) == (current.dev(), current.ino()) {
            return Ok(DirectoryLock {
                _directory: directory,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_free(directory: &Path) -> bool {
        let directory = File::open(directory).unwrap();
        flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    #[test]
    fn only_one_holds_it_at_a_time_and_dropping_releases_it() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        assert!(!is_free(directory.path()));
        drop(lock);
        assert!(is_free(directory.path()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_made_to_be_locked_and_free_again_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = FileLock::acquire(&path).unwrap();
        assert!(!is_free(&path));
        drop(lock);
        assert!(is_free(&path));
    }

    #[test]
    fn a_missing_directory_is_named() {
        let message = DirectoryLock::acquire(Path::new("/nowhere/x"))
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("cannot lock /nowhere/x: "), "{message}");
    }
}

//! One supervisor a latchkey directory.
//!
//! An operating system's lock decides, which the kernel gives to one process and takes back with its end; the record beside it
//! tells everybody else who that is. A supervisor of another version knows the record alone, so a live one there counts too.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use jiff::{Timestamp, Unit};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, Pid, fcntl_getlk};

use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;

/// Why this process may not supervise the directory.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    #[error(
        "Another ``mngr latchkey forward`` is already running for this latchkey directory (pid={0}); refusing to start a second \
         supervisor."
    )]
    Taken(i32),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The right to supervise a directory, until it is dropped; the record goes with `release`.
#[derive(Debug)]
pub struct Ownership {
    // A lock of this kind ends when *any* descriptor of the file is closed: nothing else in this process opens it.
    _lock: File,
    directory: LatchkeyDirectory,
    record: Record,
}

impl Ownership {
    /// Takes the lock and writes the record, without a port yet.
    ///
    /// # Errors
    /// When another supervisor runs, or the plugin data directory cannot be written to.
    pub fn take(directory: &LatchkeyDirectory) -> Result<Self, OwnershipError> {
        let path = directory.supervisor_lock();
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_FILE)
            .open(&path)
            .map_err(|source| StorageError::new("open", &path, source))?;
        let own = pid();
        loop {
            match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::AGAIN | Errno::ACCESS) => {}
                Err(error) => return Err(StorageError::new("lock", &path, error.into()).into()),
            }
            let holder =
                holder(&lock).map_err(|source| StorageError::new("lock", &path, source))?;
            // None: let go of it between the two questions.
            if let Some(holder) = holder {
                return Err(OwnershipError::Taken(holder));
            }
        }
        // What cannot be read as a record is none, and is replaced.
        let left = Record::load(&directory.record()).ok().flatten();
        if let Some(left) = left.filter(|left| left.pid != own && left.is_alive(directory)) {
            return Err(OwnershipError::Taken(left.pid));
        }
        let record = Record {
            pid: own,
            started_at: started_now(),
            gateway_port: None,
        };
        record.save(&directory.record())?;
        Ok(Self {
            _lock: lock,
            directory: directory.clone(),
            record,
        })
    }

    /// What other processes read.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Says where the gateway is; None while it cannot be reached.
    pub fn publish_port(&mut self, port: Option<u16>) -> Result<(), StorageError> {
        self.record.gateway_port = port;
        self.record.save(&self.directory.record())
    }

    /// Writes the record again if somebody has deleted it; whether that was so. Blocks.
    pub fn restore(&self) -> Result<bool, StorageError> {
        let path = self.directory.record();
        if path.symlink_metadata().is_ok() {
            return Ok(false);
        }
        self.record.save(&path).map(|()| true)
    }

    /// Deletes the record if it is still this process's, then lets go of the lock.
    pub fn release(self) -> Result<(), StorageError> {
        let record = self.directory.record();
        let deleted = match Record::load(&record) {
            Ok(Some(found)) if found == self.record => durable::remove(&record).map(drop),
            _ => Ok(()),
        };
        durable::remove(&self.directory.supervisor_status())?;
        deleted
    }
}

/// Which process holds the lock of `directory`; none when there is no supervisor, or one of another version.
///
/// # Errors
/// When there is a lock that cannot be asked.
pub fn lock_holder(directory: &LatchkeyDirectory) -> Result<Option<i32>, StorageError> {
    let path = directory.supervisor_lock();
    let failed = |source| StorageError::new("ask the lock", &path, source);
    let lock = match OpenOptions::new().write(true).open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    holder(&lock).map_err(failed)
}

fn pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// As the original writes it: microseconds, and Z.
fn started_now() -> String {
    let now = Timestamp::now();
    format!("{:.6}", now.round(Unit::Microsecond).unwrap_or(now))
}

fn holder(lock: &File) -> io::Result<Option<i32>> {
    let question = Flock {
        start: 0,
        length: 0,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    let answer = fcntl_getlk(lock, &question)?;
    // A process of another pid namespace has no number here.
    Ok(answer.map(|lock| lock.pid.map_or(0, Pid::as_raw_pid)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn directory() -> (tempfile::TempDir, LatchkeyDirectory) {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(root.path()).unwrap();
        directory.initialise().unwrap();
        (root, directory)
    }

    #[test]
    fn the_record_has_three_members_and_goes_at_the_end() {
        let (_root, directory) = directory();
        let mut ownership = Ownership::take(&directory).unwrap();
        ownership.publish_port(Some(4000)).unwrap();
        let text = fs::read_to_string(directory.record()).unwrap();
        let record: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap();
        let members: Vec<_> = record.keys().collect();
        assert_eq!(members, ["pid", "started_at", "gateway_port"], "{text}");
        assert_eq!(record["pid"], pid());
        let started: Timestamp = record["started_at"].as_str().unwrap().parse().unwrap();
        assert!(started <= Timestamp::now(), "{text}");
        ownership.release().unwrap();
        assert!(!directory.record().exists());
    }

    #[test]
    fn a_record_of_a_process_that_is_no_supervisor_is_replaced() {
        let (_root, directory) = directory();
        let stale = Record {
            pid: 1,
            started_at: "2020-01-01T00:00:00Z".to_owned(),
            gateway_port: Some(1),
        };
        stale.save(&directory.record()).unwrap();
        let ownership = Ownership::take(&directory).unwrap();
        assert_eq!(
            Record::load(&directory.record()).unwrap().as_ref(),
            Some(ownership.record())
        );
        assert_eq!(ownership.record().gateway_port, None);
    }
}

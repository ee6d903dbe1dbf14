//! What a supervisor must find again after a crash, durably kept: which process its gateway was, and which sessions on agent
//! hosts were its own. In a file apart from the record, whose readers know three members and no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::tunnels::{PredecessorStore, SessionIdentity};
use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::ids::HostId;
use crate::store::paths::LatchkeyDirectory;
use crate::store::process::Identity;

const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// The file of one supervisor. Every change is on disk when it returns, so it blocks; changes that wait for the same disk are
/// written together.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    content: Mutex<Content>,
    /// How many changes are on disk. Locked by whoever writes.
    written: Mutex<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Content {
    /// How often it was changed since it was loaded.
    #[serde(skip)]
    changes: u64,
    gateway: Option<Identity>,
    sessions: BTreeMap<HostId, SessionIdentity>,
}

impl Memory {
    /// What an earlier supervisor left; nothing when its file cannot be understood, which is as after a clean end.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn load(directory: &LatchkeyDirectory) -> Result<Self, StorageError> {
        let path = directory.supervisor_memory();
        let content = durable::read(&path, SIZE_LIMIT)?
            .and_then(|(text, _)| parse(&path, &text))
            .unwrap_or_default();
        Ok(Self {
            path,
            content: Mutex::new(content),
            written: Mutex::new(0),
        })
    }

    pub fn gateway(&self) -> Option<Identity> {
        self.with(|content| content.gateway)
    }

    pub fn set_gateway(&self, gateway: Option<Identity>) -> Result<(), StorageError> {
        self.change(|content| content.gateway = gateway)
    }

    fn with<T>(&self, look: impl FnOnce(&Content) -> T) -> T {
        look(&lock(&self.content))
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> Result<(), StorageError> {
        let wanted = {
            let mut content = lock(&self.content);
            let before = content.clone();
            change(&mut content);
            if *content == before {
                return Ok(());
            }
            content.changes += 1;
            content.changes
        };
        let mut written = lock(&self.written);
        if *written >= wanted {
            // Whoever held the lock before has written this change with its own.
            return Ok(());
        }
        let content = self.with(Content::clone);
        let text = serde_json::to_vec_pretty(&content)
            .map_err(|error| StorageError::new("write", &self.path, error.into()))?;
        durable::write(&self.path, &text, PRIVATE_FILE)?;
        *written = content.changes;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PredecessorStore for Memory {
    fn load(&self, host: &HostId) -> Option<SessionIdentity> {
        self.with(|content| content.sessions.get(host).cloned())
    }

    fn store(&self, host: &HostId, session: &SessionIdentity) {
        let (host, session) = (host.clone(), session.clone());
        warn(self.change(|content| {
            content.sessions.insert(host, session);
        }));
    }

    fn forget(&self, host: &HostId) {
        warn(self.change(|content| {
            content.sessions.remove(host);
        }));
    }
}

/// Without it, a port that a dead session holds is waited for instead of freed.
fn warn(kept: Result<(), StorageError>) {
    if let Err(error) = kept {
        tracing::warn!("sessions on agent hosts are not remembered: {error}");
    }
}

fn parse(path: &Path, text: &[u8]) -> Option<Content> {
    serde_json::from_slice(text)
        .inspect_err(|error| tracing::warn!("{} is ignored: {error}", path.display()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_by_the_next_supervisor() {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(root.path()).unwrap();
        directory.initialise().unwrap();
        let host = HostId::parse(&format!("host-{}", "1".repeat(32))).unwrap();
        let gateway = Identity {
            pid: 7,
            started_at: 9,
        };
        let memory = Memory::load(&directory).unwrap();
        assert_eq!((memory.gateway(), memory.load(&host)), (None, None));
        memory.set_gateway(Some(gateway)).unwrap();
        assert_eq!(Memory::load(&directory).unwrap().gateway(), Some(gateway));
        std::fs::write(directory.supervisor_memory(), "half a li").unwrap();
        assert_eq!(Memory::load(&directory).unwrap().gateway(), None);
    }
}

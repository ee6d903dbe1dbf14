//! Whether a host key may be trusted, by a `known_hosts` file: the one that mngr names, else the one beside the private key.
//!
//! Read afresh for each connection attempt, in the format of OpenSSH (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), and
//! never written: it belongs to mngr. A key is trusted when a line of that host lists it. No file at all means that
//! nothing is known yet: the key is accepted and the caller told to warn. Everything else is refused: an unlisted host,
//! another key, a revoked one, a file that cannot be read. A line that makes no sense is skipped with a warning and
//! spoils no other. Certificates are never asked for, so `@cert-authority` lines say nothing about a host's own key.

mod hash;
mod line;
mod name;
mod refusal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use russh::keys::{Algorithm, HashAlg, PublicKey};

use self::line::{Entry, Line, Marker};
use self::name::Name;
pub use self::refusal::HostKeyError;
use self::refusal::Offer;
use crate::store::durable;

/// Tens of thousands of hosts.
const FILE_LIMIT: u64 = 16 << 20;

/// What the file says about one host.
#[derive(Debug)]
pub struct KnownHosts {
    path: PathBuf,
    name: Name,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Absent,
    /// The lines of this host, and the lines of the whole file that make no sense.
    Lines {
        entries: Vec<Entry>,
        skipped: Vec<Skipped>,
    },
}

/// A line that was passed over.
#[derive(Debug, PartialEq, Eq)]
struct Skipped {
    number: usize,
    defect: line::Defect,
}

/// Why a host key may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The file lists this very key for the host.
    Listed { line: usize },
    /// There is no file to compare with: accepted, and to be said aloud with this fingerprint.
    FirstUse { fingerprint: String },
}

/// The first line that makes no sense, and how many do, of each file: it is read at every attempt to connect, and the same
/// trouble is said once.
static SAID: Mutex<BTreeMap<PathBuf, (usize, usize)>> = Mutex::new(BTreeMap::new());

impl KnownHosts {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what the file at `path` says about `host`. Blocks on the file system.
    pub fn load(path: &Path, host: &str, port: u16) -> Result<Self, HostKeyError> {
        let content = match durable::read(path, FILE_LIMIT)? {
            Some((content, _)) => content,
            // Something is meant to be there, so it is not the first use.
            None if fs::symlink_metadata(path).is_ok() => {
                return Err(HostKeyError::Dangling {
                    path: path.to_owned(),
                });
            }
            None => {
                return Ok(Self {
                    path: path.to_owned(),
                    name: Name::new(host, port),
                    content: Content::Absent,
                });
            }
        };
        let known = Self::parse(path, &content, host, port);
        known.warn_of_skipped();
        Ok(known)
    }

    fn parse(path: &Path, content: &[u8], host: &str, port: u16) -> Self {
        let name = Name::new(host, port);
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        // A comment in another encoding is no reason to lose the line.
        for (number, text) in (1..).zip(String::from_utf8_lossy(content).split('\n')) {
            let entry = Line::parse(text).and_then(|line| match line {
                Some(line) if line.names(&name)? => line.entry(number).map(Some),
                _ => Ok(None),
            });
            match entry {
                Ok(entry) => entries.extend(entry),
                Err(defect) => skipped.push(Skipped { number, defect }),
            }
        }
        Self {
            path: path.to_owned(),
            name,
            content: Content::Lines { entries, skipped },
        }
    }

    /// Decides on the key that the host offers.
    pub fn check(&self, key: &PublicKey) -> Result<Trust, HostKeyError> {
        let Content::Lines { entries, skipped } = &self.content else {
            return Ok(Trust::FirstUse {
                fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            });
        };
        let lines_of = |marker, same| {
            entries
                .iter()
                .filter(move |entry| {
                    entry.marker == marker && (entry.key.key_data() == key.key_data()) == same
                })
                .map(|entry| entry.number)
        };
        if let Some(line) = lines_of(Marker::Revoked, true).next() {
            return Err(HostKeyError::Revoked(self.offer(key), line));
        }
        if let Some(line) = lines_of(Marker::None, true).next() {
            return Ok(Trust::Listed { line });
        }
        let others: Vec<usize> = lines_of(Marker::None, false).collect();
        if others.is_empty() {
            let skipped = skipped.iter().map(|skipped| skipped.number).collect();
            Err(HostKeyError::Unlisted(self.offer(key), skipped))
        } else {
            Err(HostKeyError::Changed(self.offer(key), others))
        }
    }

    /// The types of keys that the file lists for the host: a key of another type could only be refused.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let Content::Lines { entries, .. } = &self.content else {
            return Vec::new();
        };
        let revoked = |key: &PublicKey| {
            entries.iter().any(|entry| {
                entry.marker == Marker::Revoked && entry.key.key_data() == key.key_data()
            })
        };
        let mut algorithms: Vec<Algorithm> = entries
            .iter()
            .filter(|entry| entry.marker == Marker::None && !revoked(&entry.key))
            .map(|entry| entry.key.algorithm())
            .collect();
        algorithms.sort();
        algorithms.dedup();
        algorithms
    }

    fn offer(&self, key: &PublicKey) -> Box<Offer> {
        Box::new(Offer::new(&self.path, &self.name, key))
    }

    fn warn_of_skipped(&self) {
        let Content::Lines { skipped, .. } = &self.content else {
            return;
        };
        let Some(first) = skipped.first() else {
            return;
        };
        let state = (first.number, skipped.len());
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(self.path.clone(), state) == Some(state) {
            return;
        }
        drop(said);
        tracing::warn!(
            file = %self.path.display(),
            line = first.number,
            lines = skipped.len(),
            "{} line(s) of {} make no sense and are skipped; the first is line {}: {}; correct or remove it",
            skipped.len(),
            self.path.display(),
            first.number,
            first.defect,
        );
    }
}

#[cfg(test)]
mod tests;

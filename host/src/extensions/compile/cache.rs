//! Compiled code on the disk: `code/` is managed by wasmtime, `index/` says which component's code stands there, and in
//! `unfinished/` each compiling process has a directory of its own.
//!
//! wasmtime names code by a digest that only itself can compute, after it has the engine and the component; the index lets the
//! gateway know beforehand whether it will find the code. It also says what was beyond the limits, so that a gateway which is
//! started again does not spend its first minutes on that. Whoever can write here can run code as the gateway.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::{Cache, CacheConfig, Engine};

use super::{CompileError, MEMORY_MIB, PROCESSOR_TIME};
use crate::extensions::component::hexadecimal;
use crate::store::durable::{self, PRIVATE_FILE, StorageError};

/// Beyond either, the oldest code goes.
const MOST_COMPONENTS: usize = 256;
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// A path within the cache.
const LONGEST_ENTRY: u64 = 4096;

/// Nothing compiles for so long.
const ABANDONED: Duration = Duration::from_secs(3600);

/// For how long it is known that a component is beyond the limits; the machine may have been busy.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// An entry of what is beyond a limit; no path begins so.
const TOO_LONG: &str = "!too-long";
const TOO_MUCH: &str = "!too-much";

/// One cache; several gateways may share it.
#[derive(Debug)]
pub(in crate::extensions) struct CodeCache {
    directory: PathBuf,
    /// Stands in the name of each entry.
    engine: String,
}

/// What the index says of a component, for this engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Its code stood in this file.
    Code(PathBuf),
    TooLong,
    TooMuch,
}

/// A directory for one compiling process, removed when dropped.
pub(super) struct Room(PathBuf);

impl Room {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed is swept up later.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl CodeCache {
    /// Creates what is missing, and removes what crashed processes have left.
    pub(in crate::extensions) fn open(directory: &Path) -> wasmtime::Result<Self> {
        let cache = Self {
            directory: directory.to_owned(),
            engine: String::new(),
        };
        for part in [cache.code(), cache.index(), cache.unfinished()] {
            durable::create_dir_all(&part)?;
        }
        cache.sweep();
        Ok(cache)
    }

    /// The part that wasmtime manages.
    pub(in crate::extensions) fn of_wasmtime(&self) -> wasmtime::Result<Cache> {
        code_in(&self.code())
    }

    /// Ties what is known to what the engine would compile: another version or another processor has other code.
    pub(in crate::extensions) fn of_engine(self, engine: &Engine) -> Self {
        let mut hasher = Fingerprint(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        (PROCESSOR_TIME, MEMORY_MIB).hash(&mut hasher);
        let mut engine = hexadecimal(&hasher.0.finalize());
        engine.truncate(16);
        Self { engine, ..self }
    }

    fn code(&self) -> PathBuf {
        self.directory.join("code")
    }

    fn index(&self) -> PathBuf {
        self.directory.join("index")
    }

    fn unfinished(&self) -> PathBuf {
        self.directory.join("unfinished")
    }

    fn entry_of(&self, sha256: &str) -> PathBuf {
        self.index().join(format!("{sha256}-{}", self.engine))
    }

    /// What is known of the component, if that is of any use: code that is not there any more is not.
    pub(super) fn look_up(&self, sha256: &str) -> Option<Entry> {
        let path = self.entry_of(sha256);
        let entry = self.read(&path)?;
        let is_of_use = match &entry {
            Entry::Code(code) => code.is_file(),
            Entry::TooLong | Entry::TooMuch => {
                age(path.metadata()).is_some_and(|age| age < REMEMBERED)
            }
        };
        is_of_use.then_some(entry)
    }

    fn read(&self, entry: &Path) -> Option<Entry> {
        let (content, _) = durable::read(entry, LONGEST_ENTRY).ok().flatten()?;
        let text = String::from_utf8(content).ok()?;
        Some(match text.as_str() {
            TOO_LONG => Entry::TooLong,
            TOO_MUCH => Entry::TooMuch,
            relative => {
                let relative = Path::new(relative);
                let is_inside = relative
                    .components()
                    .all(|component| matches!(component, Component::Normal(_)));
                Entry::Code(is_inside.then(|| self.code().join(relative))?)
            }
        })
    }

    /// Notes that the component is beyond the limits, if it is.
    pub(super) fn refuse(&self, sha256: &str, error: &CompileError) -> Result<(), StorageError> {
        let entry = match error {
            // By the clock, it may have been the machine.
            CompileError::TooLong(PROCESSOR_TIME) => TOO_LONG,
            CompileError::TooMuch(_) => TOO_MUCH,
            _ => return Ok(()),
        };
        durable::write(&self.entry_of(sha256), entry.as_bytes(), PRIVATE_FILE)
    }

    /// Where a process can leave code.
    pub(super) fn room(&self) -> Result<Room, StorageError> {
        let mut random = [0; 8];
        let unfinished = self.unfinished();
        getrandom::fill(&mut random)
            .map_err(|error| StorageError::new("write to", &unfinished, error.into()))?;
        let path = unfinished.join(hexadecimal(&random));
        durable::create_dir_all(&path)?;
        Ok(Room(path))
    }

    /// Takes over the code that a process has left in `room`, as that of the component. An error when there is none.
    pub(super) fn keep(&self, room: &Room, sha256: &str) -> Result<(), StorageError> {
        let relative = only_code_in(room.path())
            .map_err(|error| StorageError::new("find code in", room.path(), error))?;
        let code = self.code().join(&relative);
        if let Some(parent) = code.parent() {
            durable::create_dir_all(parent)?;
        }
        fs::rename(room.path().join(&relative), &code)
            .map_err(|error| StorageError::new("write", &code, error))?;
        let name = relative.as_os_str().as_encoded_bytes();
        durable::write(&self.entry_of(sha256), name, PRIVATE_FILE)?;
        self.prune()
            .map_err(|error| StorageError::new("clear", &self.directory, error))
    }

    /// Removes the oldest code when there is too much.
    fn prune(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.index())? {
            let entry = entry?;
            entries.push((entry.metadata()?.modified()?, entry.path()));
        }
        entries.sort_by(|one, other| other.cmp(one));
        let mut bytes = 0;
        for (number, (_, entry)) in entries.iter().enumerate() {
            let code = match self.read(entry) {
                Some(Entry::Code(code)) => Some(code),
                _ => None,
            };
            let length = code.as_ref().and_then(|code| code.metadata().ok());
            bytes += length.map_or(0, |length| length.len());
            if number < MOST_COMPONENTS && bytes <= MOST_BYTES {
                continue;
            }
            // Another gateway may have done so.
            let _ = fs::remove_file(entry);
            if let Some(code) = code {
                let _ = fs::remove_file(code.with_extension("stats"));
                let _ = fs::remove_file(code);
            }
        }
        Ok(())
    }

    fn sweep(&self) {
        for room in fs::read_dir(self.unfinished())
            .into_iter()
            .flatten()
            .flatten()
        {
            if age(room.metadata()).is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_dir_all(room.path());
            }
        }
    }
}

/// How long ago a file was written; no time at all for one from the future.
fn age(metadata: io::Result<fs::Metadata>) -> Option<Duration> {
    let modified = metadata.and_then(|metadata| metadata.modified()).ok()?;
    Some(
        SystemTime::now()
            .duration_since(modified)
            .unwrap_or_default(),
    )
}

/// wasmtime's cache in `directory`.
pub(super) fn code_in(directory: &Path) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    Cache::new(config)
}

/// The path, from `directory`, of the one file of code below it: `modules/<compiler>/<digest>`.
fn only_code_in(directory: &Path) -> io::Result<PathBuf> {
    let mut relative = PathBuf::new();
    for _ in 0..3 {
        let names = fs::read_dir(directory.join(&relative))?.map(|entry| Ok(entry?.file_name()));
        // Locks, statistics and unfinished files have an extension.
        let code = names
            .filter(|name: &io::Result<_>| !name.as_ref().is_ok_and(|name| is_beside_code(name)))
            .collect::<io::Result<Vec<_>>>()?;
        let [name] = code.as_slice() else {
            return Err(io::Error::other(format!(
                "the process has left {} files of code instead of one",
                code.len()
            )));
        };
        relative.push(name);
    }
    Ok(relative)
}

fn is_beside_code(name: &std::ffi::OsStr) -> bool {
    let path = Path::new(name);
    ["stats", "cleanup"].iter().any(|known| {
        path.extension()
            .is_some_and(|extension| extension == *known)
    }) || name.as_encoded_bytes().starts_with(b".")
        || path
            .extension()
            .is_some_and(|extension| extension.as_encoded_bytes().starts_with(b"wip-"))
}

/// A digest of whatever can be hashed.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the digest is taken whole.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;

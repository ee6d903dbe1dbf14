//! Compiled code on the disk: `code/` is managed by wasmtime, `index/` says which component's code stands there, and in
//! `unfinished/` each compiling process has a directory of its own.
//!
//! wasmtime names code by a digest that only itself can compute, after it has the engine and the component; the index lets the
//! gateway know beforehand whether it will find the code. Whoever can write here can run code as the gateway.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::{Cache, CacheConfig, Engine};

use crate::extensions::component::hexadecimal;
use crate::store::durable::{self, PRIVATE_FILE, StorageError};

/// Beyond either, the oldest code goes.
const MOST_COMPONENTS: usize = 256;
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// A path within the cache.
const LONGEST_ENTRY: u64 = 4096;

/// Nothing compiles for so long.
const ABANDONED: Duration = Duration::from_secs(3600);

/// One cache; several gateways may share it.
#[derive(Debug)]
pub(in crate::extensions) struct CodeCache {
    directory: PathBuf,
    /// Stands in the name of each entry.
    engine: String,
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

    fn entry(&self, sha256: &str) -> PathBuf {
        self.index().join(format!("{sha256}-{}", self.engine))
    }

    /// Whether the code of the component stands there, for this engine.
    pub(super) fn holds(&self, sha256: &str) -> bool {
        self.code_of(&self.entry(sha256))
            .is_some_and(|code| code.is_file())
    }

    /// The file that an entry of the index names, there or not.
    fn code_of(&self, entry: &Path) -> Option<PathBuf> {
        let (content, _) = durable::read(entry, LONGEST_ENTRY).ok().flatten()?;
        let relative = PathBuf::from(String::from_utf8(content).ok()?);
        let is_inside = relative
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        is_inside.then(|| self.code().join(relative))
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
        durable::write(&self.entry(sha256), name, PRIVATE_FILE)?;
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
            let code = self.code_of(entry);
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
        let now = SystemTime::now();
        for room in fs::read_dir(self.unfinished())
            .into_iter()
            .flatten()
            .flatten()
        {
            let modified = room.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|modified| now.duration_since(modified).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_dir_all(room.path());
            }
        }
    }
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

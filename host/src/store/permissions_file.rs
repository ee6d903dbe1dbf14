//! Reading and editing permissions files so that no writer loses another's edit.
//!
//! An edit either names the version that it started from (`replace`) or runs as a whole under the lock (`edit`). The lock
//! is that of the directory that holds the real file: symbolic links are followed, and followed again once the lock is
//! held, because linking a handle moves the real file. The link stays, its target is replaced and keeps its mode.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::durable::{self, PRIVATE_FILE, StorageError};
use super::grants::{By, Note, Origins};
use super::lock::DirectoryLock;

/// The largest file, in bytes. Far above any that a person could mean; keeps a mistake from filling the memory.
pub const LARGEST: usize = 16 * 1024 * 1024;
const SIZE_LIMIT: u64 = LARGEST as u64;
const LINK_LIMIT: usize = 40;

/// A state of a permissions file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

impl Version {
    /// Equal contents have equal versions.
    pub fn of(content: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(content).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// A file as it was at one moment.
#[derive(Debug)]
pub struct Reading {
    pub path: PathBuf,
    pub content: Vec<u8>,
    pub version: Version,
}

/// Why a file was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The file is no longer at the version that the edit started from.
    #[error("{} has changed in the meantime; read it again", .0.display())]
    Conflict(PathBuf),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a file was not edited; `E` is the edit's own refusal.
#[derive(Debug, thiserror::Error)]
pub enum EditError<E: std::error::Error> {
    #[error("the permissions file {} is not a JSON object: {detail}; repair it or move it away", path.display())]
    Malformed { path: PathBuf, detail: String },
    #[error("the permissions file {} was left as it is: {refusal}", path.display())]
    Refused { path: PathBuf, refusal: E },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The file at `path` now, and where its grants come from; none when there is none. Between the two nobody writes.
///
/// # Errors
/// When the file cannot be read; what the journal does not tell is no error.
pub fn read_with_origins(path: &Path) -> Result<Option<(Reading, Origins)>, StorageError> {
    let Ok(real) = path.canonicalize() else {
        // Missing, or a reason that reading tells better.
        return Ok(read(path)?.map(|reading| (reading, Origins::default())));
    };
    let directory = real.parent().unwrap_or(Path::new("/"));
    // Whoever may only read the directory sees what is there, if need be in the middle of an edit.
    let _lock = DirectoryLock::acquire(directory).ok();
    let Some(reading) = read(path)? else {
        return Ok(None);
    };
    let origins = Origins::load(&real, &reading.content).unwrap_or_else(|error| {
        tracing::warn!("{error}");
        Origins::default()
    });
    Ok(Some((reading, origins)))
}

/// The file at `path` now; none when there is none.
pub fn read(path: &Path) -> Result<Option<Reading>, StorageError> {
    let found = durable::read(path, SIZE_LIMIT)?;
    Ok(found.map(|(content, _)| Reading {
        path: path.to_owned(),
        version: Version::of(&content),
        content,
    }))
}

/// Replaces the content if the file still has the version `base` (none: if there is no file), and notes what that grants and
/// revokes, and by what. Creates missing parents.
pub fn replace(
    path: &Path,
    content: &[u8],
    base: Option<Version>,
    by: &By,
) -> Result<Version, ReplaceError> {
    let locked = Locked::acquire(path)?;
    let current = durable::read(&locked.real, SIZE_LIMIT)?;
    if current.as_ref().map(|(content, _)| Version::of(content)) != base {
        return Err(ReplaceError::Conflict(path.to_owned()));
    }
    locked.write(current.as_ref(), content, Some(by))?;
    Ok(Version::of(content))
}

/// Replaces the content by what `change` makes of it; it is given none when there is no file. A change that changes
/// nothing writes nothing, and the line end at the end stays as it is. Grants are noted as those of `by`, if given.
pub fn edit<E: std::error::Error>(
    path: &Path,
    by: Option<&By>,
    change: impl FnOnce(Option<Map<String, Value>>) -> Result<Map<String, Value>, E>,
) -> Result<(), EditError<E>> {
    let locked = Locked::acquire(path)?;
    let current = durable::read(&locked.real, SIZE_LIMIT)?;
    let before = match &current {
        None => None,
        Some((content, _)) => Some(parse(path, content)?),
    };
    let after = change(before.clone()).map_err(|refusal| EditError::Refused {
        path: path.to_owned(),
        refusal,
    })?;
    if before.as_ref() != Some(&after) {
        let mut content = render(after);
        let ends_its_line = |(content, _): &(Vec<u8>, _)| content.ends_with(b"\n");
        if current.as_ref().is_some_and(ends_its_line) {
            content.push(b'\n');
        }
        locked.write(current.as_ref(), &content, by)?;
    }
    Ok(())
}

/// Has `change` say what [`edit`] would do now. Nothing is written.
pub fn rehearse<E: std::error::Error>(
    path: &Path,
    change: impl FnOnce(Option<Map<String, Value>>) -> Result<Map<String, Value>, E>,
) -> Result<(), EditError<E>> {
    let before = match read(path)? {
        None => None,
        Some(reading) => Some(parse(path, &reading.content)?),
    };
    let refused = |refusal| EditError::Refused {
        path: path.to_owned(),
        refusal,
    };
    change(before).map(drop).map_err(refused)
}

/// The file's form: two spaces, the order kept, an empty `schemas` left out.
pub fn render(mut config: Map<String, Value>) -> Vec<u8> {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    if config.get("schemas").is_some_and(is_empty) {
        config.shift_remove("schemas");
    }
    format!("{:#}", Value::Object(config)).into_bytes()
}

fn parse<E: std::error::Error>(
    path: &Path,
    content: &[u8],
) -> Result<Map<String, Value>, EditError<E>> {
    serde_json::from_slice(content).map_err(|error| EditError::Malformed {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// The real file behind a path, with its directory locked.
struct Locked {
    real: PathBuf,
    _lock: DirectoryLock,
}

impl Locked {
    fn acquire(path: &Path) -> Result<Self, StorageError> {
        let mut real = real_file(path)?;
        loop {
            let directory = real.parent().unwrap_or(Path::new("/"));
            let lock = DirectoryLock::acquire(directory)?;
            let now = real_file(path)?;
            if now == real {
                return Ok(Self { real, _lock: lock });
            }
            real = now;
        }
    }

    /// Replaces what was read under this lock; the mode stays.
    fn write(
        &self,
        current: Option<&(Vec<u8>, fs::Metadata)>,
        content: &[u8],
        by: Option<&By>,
    ) -> Result<(), StorageError> {
        let before = current.map(|(content, _)| content.as_slice());
        let note = by.and_then(|by| Note::take(&self.real, before, content, by));
        let mode = current.map_or(PRIVATE_FILE, |(_, metadata)| {
            metadata.permissions().mode() & 0o777
        });
        let written = durable::write(&self.real, content, mode);
        if written.is_err()
            && let Some(note) = note
        {
            note.withdraw();
        }
        written
    }
}

/// Follows the links at `path` to where the content is or would be, and creates that directory when it is missing.
fn real_file(path: &Path) -> Result<PathBuf, StorageError> {
    let error = |source| StorageError::new("resolve", path, source);
    let mut current = std::path::absolute(path).map_err(error)?;
    for _ in 0..LINK_LIMIT {
        let (Some(parent), Some(name)) = (current.parent(), current.file_name()) else {
            return Err(error(io::Error::from(io::ErrorKind::IsADirectory)));
        };
        durable::create_dir_all(parent)?;
        let parent = fs::canonicalize(parent).map_err(error)?;
        match target_of(&parent, name).map_err(error)? {
            None => return Ok(parent.join(name)),
            Some(target) => current = parent.join(target),
        }
    }
    Err(error(io::Error::other("too many symbolic links")))
}

fn target_of(parent: &Path, name: &OsStr) -> io::Result<Option<PathBuf>> {
    match fs::read_link(parent.join(name)) {
        Ok(target) => Ok(Some(target)),
        // What is no link, and what does not exist yet.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;

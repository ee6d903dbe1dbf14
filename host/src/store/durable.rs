//! Durable changes of files: the one set of functions through which mngr-latchkey writes.
//!
//! Promises: a reader sees the old content or the new one, never a part; a change that returned `Ok` survives a crash
//! of the machine; a change that failed leaves the old content and no temporary file. A crash may leave a temporary
//! file `.<name>.<pid>.<random>.tmp`, which `sweep_temporary_files` removes.
//!
//! Reading is here too, so that nothing that is not a file is ever waited for.
//!
//! The calls go through `std::fs`, so that a test can interpose the C library's functions and stop the process between
//! any two of them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{directory_sync, random};

/// Mode of files that nobody else may read.
pub const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;
/// Far longer than any write takes.
const LEFTOVER_AGE: Duration = Duration::from_secs(300);
/// Keeps a temporary name within the limit of 255 bytes, whatever name it is for.
const NAME_PART: usize = 48;

/// A file could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{}", path.display(), remedy(source.kind()))]
pub struct StorageError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StorageError {
    /// `action` completes "cannot ...".
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// The path that is in trouble.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "; give this user access to it",
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is mounted read-only, choose another directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space on its file system"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; a file is in the way, move it elsewhere"
        }
        io::ErrorKind::IsADirectory => "; a directory is in the way, move it elsewhere",
        _ => "",
    }
}

/// Puts `bytes` at `path`, replacing what is there. `mode` is the file's mode afterwards.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StorageError> {
    let temporary = Temporary::file(path, bytes, mode)
        .map_err(|source| StorageError::new("write", path, source))?;
    temporary
        .rename_to(path)
        .map_err(|source| StorageError::new("write", path, source))
}

/// Creates `path` with `bytes`. False, and nothing changed, when something of that name exists.
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<bool, StorageError> {
    let error = |source| StorageError::new("create", path, source);
    let temporary = Temporary::file(path, bytes, mode).map_err(error)?;
    match fs::hard_link(&temporary.path, path) {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(error(source)),
    }
    drop(temporary);
    sync_parent(path).map_err(error)?;
    Ok(true)
}

/// Gives the file at `existing` the second name `path`, which must not exist.
pub fn link(existing: &Path, path: &Path) -> Result<(), StorageError> {
    fs::hard_link(existing, path)
        .and_then(|()| sync_parent(path))
        .map_err(|source| StorageError::new("create", path, source))
}

/// Puts a symbolic link to `target` at `path`, replacing what is there; `path` exists at every moment.
pub fn replace_with_symlink(path: &Path, target: &Path) -> Result<(), StorageError> {
    let error = |source| StorageError::new("link", path, source);
    let temporary = Temporary::symlink(path, target).map_err(error)?;
    temporary.rename_to(path).map_err(error)
}

/// Removes a file. False when there is none.
pub fn remove(path: &Path) -> Result<bool, StorageError> {
    let error = |source| StorageError::new("remove", path, source);
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(error(source)),
    }
    sync_parent(path).map_err(error)?;
    Ok(true)
}

/// Creates a directory and its missing parents, readable for this user alone. One that exists is left as it is.
pub fn create_dir_all(path: &Path) -> Result<(), StorageError> {
    let error = |source| StorageError::new("create the directory", path, source);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(error(io::Error::from(io::ErrorKind::NotADirectory))),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(error(source)),
    }
    let parent = parent_of(path).map_err(error)?;
    create_dir_all(parent)?;
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
        Ok(()) => {}
        // Another process was faster; a link into nowhere is still in the way.
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(source) => return Err(error(source)),
    }
    directory_sync::sync(parent).map_err(error)
}

/// Removes what crashed writers left in `directory`: temporary files whose process is gone, or that are minutes old.
/// Returns how many. A missing directory has none; a file that cannot be removed is left for the next time.
pub fn sweep_temporary_files(directory: &Path) -> Result<usize, StorageError> {
    let error = |source| StorageError::new("list", directory, source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(error(source)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(error)?;
        let Some(writer) = entry.file_name().to_str().and_then(writer_of) else {
            continue;
        };
        let abandoned = !is_running(writer) || is_older_than(&entry, LEFTOVER_AGE);
        if abandoned && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// The process that wrote a temporary file of this name; none for any other name.
fn writer_of(name: &str) -> Option<i32> {
    let mut parts = name
        .strip_prefix('.')?
        .strip_suffix(".tmp")?
        .rsplitn(3, '.');
    let random = parts.next()?;
    let process = parts.next()?;
    parts.next().filter(|rest| !rest.is_empty())?;
    let is_random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_random.then(|| process.parse().ok()).flatten()
}

fn is_running(process: i32) -> bool {
    rustix::process::Pid::from_raw(process).is_some_and(|process| {
        rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
    })
}

fn is_older_than(entry: &fs::DirEntry, age: Duration) -> bool {
    entry
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|passed| passed > age)
}

fn parent_of(path: &Path) -> io::Result<&Path> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no parent directory"))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    directory_sync::sync(parent_of(path)?)
}

/// A finished, synced file beside its destination. Unlinked when it is dropped before it was renamed.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn file(destination: &Path, bytes: &[u8], mode: u32) -> io::Result<Self> {
        let path = Self::name(destination)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE_FILE)
            .open(&path)?;
        let temporary = Self {
            path,
            renamed: false,
        };
        file.write_all(bytes)?;
        if mode != PRIVATE_FILE {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.sync_all()?;
        Ok(temporary)
    }

    fn symlink(destination: &Path, target: &Path) -> io::Result<Self> {
        let path = Self::name(destination)?;
        std::os::unix::fs::symlink(target, &path)?;
        Ok(Self {
            path,
            renamed: false,
        })
    }

    fn name(destination: &Path) -> io::Result<PathBuf> {
        let parent = parent_of(destination)?;
        let name = destination
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let name: String = name.to_string_lossy().chars().take(NAME_PART).collect();
        let random = random::hex::<8>()?;
        Ok(parent.join(format!(".{name}.{}.{random}.tmp", std::process::id())))
    }

    fn rename_to(mut self, destination: &Path) -> io::Result<()> {
        fs::rename(&self.path, destination)?;
        self.renamed = true;
        sync_parent(destination)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing better to do with a failure: the sweep takes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads a regular file whole, up to `limit` bytes; none when there is none. Never waits on a pipe.
pub fn read(path: &Path, limit: u64) -> Result<Option<(Vec<u8>, fs::Metadata)>, StorageError> {
    use std::io::Read;

    let error = |source| StorageError::new("read", path, source);
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file: File = match OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
    {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(error(source)),
    };
    let metadata = file.metadata().map_err(error)?;
    if !metadata.is_file() {
        return Err(error(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )));
    }
    let mut content =
        Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or_default());
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(error)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > limit) {
        return Err(error(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {limit} bytes"),
        )));
    }
    Ok(Some((content, metadata)))
}

#[cfg(test)]
mod tests;

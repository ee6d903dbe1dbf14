//! Opaque handles: permissions files whose name is known before the host's is. A handle is a regular file first; linking
//! it makes it a symbolic link to the host's file.
//!
//! Promises: a handle exists at every moment from its creation on; an edit that another writer makes while the handle is
//! linked ends up in the host's file. Linking again is harmless, also after a crash at any point.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::baseline::agent_baseline;
use super::durable::{self, PRIVATE_FILE, StorageError};
use super::grants;
use super::ids::HostId;
use super::lock::DirectoryLock;
use super::paths::LatchkeyDirectory;
use super::permissions_file;
use super::random;

/// Why a handle was not linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("--opaque-path does not exist: {}", .0.display())]
    Missing(PathBuf),
    #[error("--opaque-path must be a handle directly in {}, got {}; pass the opaque_permissions_path of create-agent-env", handles.display(), path.display())]
    Elsewhere { path: PathBuf, handles: PathBuf },
    #[error("--opaque-path must be a regular file or a link to one, got {}; pass the opaque_permissions_path of create-agent-env", .0.display())]
    NoFile(PathBuf),
    #[error("the host's permissions file {} is not a regular file; move it away", .0.display())]
    HostNoFile(PathBuf),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl LinkError {
    /// Whether the caller named the wrong thing, rather than something having failed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Missing(_) | Self::Elsewhere { .. } | Self::NoFile(_)
        )
    }
}

/// Creates a handle with the baseline of a fresh agent.
pub fn create(directory: &LatchkeyDirectory) -> Result<PathBuf, StorageError> {
    let handles = directory.handles_dir();
    durable::create_dir_all(&handles)?;
    let content = permissions_file::render(agent_baseline());
    loop {
        let name = random::uuid()
            .map_err(|source| StorageError::new("name a file in", &handles, source))?;
        let path = handles.join(format!("{name}.json"));
        if durable::create_new(&path, &content, PRIVATE_FILE)? {
            return Ok(path);
        }
    }
}

/// Makes the handle a link to the host's permissions file. The host's file is kept when there is one; otherwise the
/// handle's content becomes it.
pub fn link(directory: &LatchkeyDirectory, handle: &Path, host: &HostId) -> Result<(), LinkError> {
    let handle = validate(directory, handle)?;
    let target = directory.host_permissions(host);
    let host_directory = target.parent().unwrap_or(directory.root());
    durable::create_dir_all(host_directory)?;
    // In this order everywhere; a writer of the handle takes the second, a writer of the host's file the first.
    let _host = DirectoryLock::acquire(host_directory)?;
    let _handles = DirectoryLock::acquire(&directory.handles_dir())?;

    let kind = kind_of(&handle)?;
    if !host_file_exists(&target)? {
        match kind {
            // A second name for the content: the handle keeps its own until the link takes its place.
            Kind::File => {
                durable::link(&handle, &target)?;
                grants::adopt(&handle, &target);
            }
            Kind::Link => copy(&handle, &target)?,
        }
    }
    let is_linked =
        kind == Kind::Link && fs::read_link(&handle).is_ok_and(|current| current == target);
    if !is_linked {
        durable::replace_with_symlink(&handle, &target)?;
    }
    grants::discard(&handle);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    /// To another host's file: linked there before.
    Link,
}

/// The handle's path below the handles' directory as it is written in tokens.
fn validate(directory: &LatchkeyDirectory, path: &Path) -> Result<PathBuf, LinkError> {
    let path =
        std::path::absolute(path).map_err(|source| StorageError::new("resolve", path, source))?;
    kind_of(&path)?;
    let handles = directory.handles_dir();
    let elsewhere = || LinkError::Elsewhere {
        path: path.clone(),
        handles: handles.clone(),
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(elsewhere());
    };
    match (fs::canonicalize(parent), fs::canonicalize(&handles)) {
        (Ok(parent), Ok(real)) if parent == real => Ok(handles.join(name)),
        _ => Err(elsewhere()),
    }
}

fn kind_of(handle: &Path) -> Result<Kind, LinkError> {
    let error = |source| StorageError::new("look at", handle, source);
    let metadata = match fs::symlink_metadata(handle) {
        Ok(metadata) => metadata,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(LinkError::Missing(handle.to_owned()));
        }
        Err(source) => return Err(error(source).into()),
    };
    if metadata.is_file() {
        return Ok(Kind::File);
    }
    let leads_to_file =
        metadata.is_symlink() && fs::metadata(handle).is_ok_and(|target| target.is_file());
    leads_to_file
        .then_some(Kind::Link)
        .ok_or_else(|| LinkError::NoFile(handle.to_owned()))
}

fn host_file_exists(target: &Path) -> Result<bool, LinkError> {
    match fs::symlink_metadata(target) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StorageError::new("look at", target, source).into()),
        Ok(_) if fs::metadata(target).is_ok_and(|metadata| metadata.is_file()) => Ok(true),
        Ok(_) => Err(LinkError::HostNoFile(target.to_owned())),
    }
}

/// The file that the handle was linked to belongs to another host, so it stays where it is.
fn copy(handle: &Path, target: &Path) -> Result<(), LinkError> {
    let reading =
        permissions_file::read(handle)?.ok_or_else(|| LinkError::NoFile(handle.to_owned()))?;
    durable::create_new(target, &reading.content, PRIVATE_FILE)?;
    if let Ok(other) = handle.canonicalize() {
        grants::adopt(&other, target);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! `mngr:gateway/permission-files`: reading and replacing permissions files within a boundary.
//!
//! The only writes are replacements under the version that was read, serialised with every other writer by the store. A path
//! is resolved here, at each call; what an extension holds is never trusted.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quick_cache::sync::Cache;
use wasmtime::component::{Accessor, HasSelf};

use super::Services;
use super::disk::Disk;
use crate::extensions::policy::FilesAccess;
use crate::extensions::state::{InstanceState, request_id_of};
use crate::extensions::v0_1::permission_files::{self, Boundary as Within, Error, Failure};
use crate::permissions::{Engine, check_edit};
use crate::store::boundary::{Boundary, BoundaryError, RelativeBoundary};
use crate::store::durable::StorageError;
use crate::store::grants::By;
use crate::store::ids::AgentId;
use crate::store::paths;
use crate::store::permissions_file::{self, Reading, ReplaceError, Version};
use crate::store::stamp::Stamp;

/// Files of recent requests that are kept in memory.
const CACHED_FILES: usize = 256;

/// No request has a longer id: it is a file's name.
const LONGEST_ID: usize = 255;

type Outcome<T> = wasmtime::Result<Result<T, Error>>;

/// The boundaries, and the files that requests were decided by.
pub(in crate::extensions) struct PermissionFiles {
    latchkey_directory: Boundary,
    permissions_root: Option<Boundary>,
    engine: Arc<Engine>,
    applied: Cache<Arc<Path>, Arc<Applied>>,
}

struct Applied {
    stamp: Stamp,
    reading: Reading,
}

impl PermissionFiles {
    /// # Errors
    /// When a boundary is no absolute path.
    pub(in crate::extensions) fn new(
        latchkey_directory: &Path,
        permissions_root: Option<&Path>,
        engine: Arc<Engine>,
    ) -> Result<Self, RelativeBoundary> {
        Ok(Self {
            latchkey_directory: Boundary::new(latchkey_directory)?,
            permissions_root: permissions_root.map(Boundary::new).transpose()?,
            engine,
            applied: Cache::new(CACHED_FILES),
        })
    }

    fn resolve(&self, path: &str, within: Within) -> Result<PathBuf, Error> {
        let resolved = self.resolve_within(path, within)?;
        // Below the boundary, and still no permissions file: whoever reads these is the gateway.
        let is_own = paths::OWN.iter().any(|name| {
            let own = self.latchkey_directory.resolve(name);
            own.is_ok_and(|own| resolved.starts_with(own))
        });
        if is_own {
            return Err(Error::Outside);
        }
        Ok(resolved)
    }

    fn resolve_within(&self, path: &str, within: Within) -> Result<PathBuf, Error> {
        let outside = |error: BoundaryError| match error {
            BoundaryError::Outside(_) => Error::Outside,
            BoundaryError::Storage(error) => Error::from(&error),
        };
        let below_root = |path| match &self.permissions_root {
            Some(root) => root.resolve(path).map_err(outside),
            None => Err(Error::RootNotSet),
        };
        match within {
            Within::PermissionsRoot => below_root(path),
            Within::LatchkeyDirectory if !path.starts_with('/') => Err(Error::Outside),
            Within::LatchkeyDirectory => {
                self.latchkey_directory
                    .resolve(path)
                    .map_err(outside)
                    .or_else(|error| {
                        // Without a root there is only the one boundary, and its answer stands.
                        below_root(path).map_err(|_| error)
                    })
            }
        }
    }

    /// The path as it was named: includes and hooks are found from there, not from where a link leads.
    fn as_named(&self, path: &str, within: Within) -> PathBuf {
        match (within, &self.permissions_root) {
            (Within::PermissionsRoot, Some(root)) => root.root().join(path),
            _ => PathBuf::from(path),
        }
    }

    /// The file that stood at `path` when its stamp was `now`, if it has been read.
    fn cached(&self, path: &Arc<Path>, now: &Stamp) -> Option<Arc<Applied>> {
        self.applied
            .get(path)
            .filter(|applied| applied.stamp.is_same(now))
    }

    fn read_applied(&self, path: Arc<Path>) -> Result<Arc<Applied>, Error> {
        let storage = |source| Error::from(&StorageError::new("read", &path, source));
        let stamp = Stamp::of(&path).map_err(storage)?;
        let reading = read_existing(&path)?;
        let applied = Arc::new(Applied { stamp, reading });
        self.applied.insert(path, Arc::clone(&applied));
        Ok(applied)
    }
}

fn read_existing(path: &Path) -> Result<Reading, Error> {
    let missing = || Error::Missing(path.to_string_lossy().into_owned());
    match permissions_file::read(path) {
        Ok(Some(reading)) => Ok(reading),
        Ok(None) => Err(missing()),
        // A path that goes on below a file leads nowhere.
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(missing()),
        Err(error) => Err(Error::from(&error)),
    }
}

impl From<&StorageError> for Error {
    fn from(error: &StorageError) -> Self {
        Self::Storage(Failure {
            path: error.path().to_string_lossy().into_owned(),
            detail: error.to_string(),
        })
    }
}

impl From<ReplaceError> for Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Conflict(_) => Self::Conflict,
            ReplaceError::Storage(error) => Self::from(&error),
        }
    }
}

fn unless_known(
    reading: &Reading,
    known: Option<u64>,
) -> Option<permission_files::PermissionsFile> {
    (known != Some(reading.version.0)).then(|| permission_files::PermissionsFile {
        path: reading.path.to_string_lossy().into_owned(),
        content: reading.content.clone(),
        version: reading.version.0,
    })
}

/// What an extension that may go far enough works with.
struct Granted {
    services: Arc<Services>,
    disk: Arc<Disk>,
}

/// If the extension may go as far as `wanted`.
fn granted(
    accessor: &Accessor<InstanceState, HasSelf<InstanceState>>,
    wanted: FilesAccess,
) -> Result<Granted, Error> {
    accessor.with(|mut access| {
        let capabilities = &access.get().capabilities;
        if capabilities.grants.permission_files < wanted {
            capabilities.refused(
                "permission-files",
                if wanted == FilesAccess::Edit {
                    "edit"
                } else {
                    "read"
                },
            );
            return Err(Error::NotGranted);
        }
        Ok(Granted {
            services: Arc::clone(&capabilities.services),
            disk: Arc::clone(&capabilities.disk),
        })
    })
}

/// What is noted of an edit: what the extension says, and always that it was this one that said it.
fn edited_by(extension: String, cause: Option<permission_files::Cause>) -> By {
    match cause {
        Some(permission_files::Cause::Approval(approval)) if is_id(&approval.request_id) => {
            By::Approval {
                request_id: approval.request_id,
                agent_id: AgentId::parse(&approval.agent_id).ok(),
                extension,
            }
        }
        Some(permission_files::Cause::RuleEdit) => By::RulesPost { extension },
        Some(permission_files::Cause::Approval(_)) | None => By::Extension { extension },
    }
}

/// Whether a text may be the id of a permission request.
fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_part)
}

/// It could be written, and not be read any more.
fn too_large(content: &[u8]) -> String {
    format!(
        "the content has {} bytes, and a permissions file at most {}",
        content.len(),
        permissions_file::LARGEST
    )
}

impl permission_files::Host for InstanceState {}

impl permission_files::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn read_applied(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
        known: Option<u64>,
    ) -> Outcome<Option<permission_files::PermissionsFile>> {
        let Granted { services, disk } = match granted(accessor, FilesAccess::Read) {
            Ok(granted) => granted,
            Err(refused) => return Ok(Err(refused)),
        };
        let applied = accessor.with(|mut access| {
            let id = request_id_of(&request_id)?;
            let request = access.get().requests.get(&id)?;
            Some((
                Arc::clone(&request.permissions_config),
                request.permissions_stamp,
            ))
        });
        let Some((path, stamp)) = applied else {
            // No request of this instance: there is no file that applies to it.
            return Ok(Err(Error::Missing(format!("(request {request_id})"))));
        };
        let applied = match services.permission_files.cached(&path, &stamp) {
            Some(applied) => Ok(applied),
            None => {
                disk.run(0, move || services.permission_files.read_applied(path))
                    .await?
            }
        };
        Ok(applied.map(|applied| unless_known(&applied.reading, known)))
    }

    async fn read(
        accessor: &Accessor<InstanceState, Self>,
        path: String,
        within: Within,
        known: Option<u64>,
    ) -> Outcome<Option<permission_files::PermissionsFile>> {
        match granted(accessor, FilesAccess::Read) {
            Ok(Granted { services, disk }) => {
                disk.run(path.len(), move || {
                    let path = services.permission_files.resolve(&path, within)?;
                    read_existing(&path).map(|reading| unless_known(&reading, known))
                })
                .await
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn check(
        accessor: &Accessor<InstanceState, Self>,
        path: String,
        within: Within,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<(), String>> {
        match granted(accessor, FilesAccess::Read) {
            Ok(Granted { services, disk }) => {
                disk.run(path.len() + content.len(), move || {
                    if content.len() > permissions_file::LARGEST {
                        return Err(too_large(&content));
                    }
                    let files = &services.permission_files;
                    files.resolve(&path, within).map_err(|_| {
                        format!("the path {path} is outside of what extensions may reach")
                    })?;
                    let named = files.as_named(&path, within);
                    files
                        .engine
                        .check(&named, &content)
                        .map_err(|error| error.to_string())
                })
                .await
            }
            Err(_) => Ok(Err(
                "permissions files are not granted to this extension".to_owned()
            )),
        }
    }

    async fn replace(
        accessor: &Accessor<InstanceState, Self>,
        path: String,
        within: Within,
        content: Vec<u8>,
        base: Option<u64>,
        cause: Option<permission_files::Cause>,
    ) -> Outcome<u64> {
        match granted(accessor, FilesAccess::Edit) {
            Ok(Granted { services, disk }) => {
                let (by, capabilities) = accessor.with(|mut access| {
                    let capabilities = access.get().capabilities.clone();
                    let extension = capabilities.extension_name().to_owned();
                    (edited_by(extension, cause), capabilities)
                });
                disk.run(path.len() + content.len(), move || {
                    let path = services.permission_files.resolve(&path, within)?;
                    if content.len() > permissions_file::LARGEST {
                        return Err(Error::Storage(Failure {
                            path: path.to_string_lossy().into_owned(),
                            detail: too_large(&content),
                        }));
                    }
                    let base = base.map(Version);
                    let before =
                        permissions_file::read(&path).map_err(|error| Error::from(&error))?;
                    // What is at another version is a conflict, whatever it is.
                    if before.as_ref().map(|reading| reading.version) == base {
                        let before = before.as_ref().map(|reading| &*reading.content);
                        check_edit(before, &content).map_err(|refused| {
                            let path = path.to_string_lossy().into_owned();
                            capabilities
                                .refused("permission-files", &format!("edit of {path}: {refused}"));
                            Error::Storage(Failure {
                                path,
                                detail: refused.to_string(),
                            })
                        })?;
                    }
                    let version = permissions_file::replace(&path, &content, base, &by)?;
                    Ok(version.0)
                })
                .await
            }
            Err(refused) => Ok(Err(refused)),
        }
    }
}

#[cfg(test)]
mod tests;

//! Permissions files: the rules that decide what a request may do. Needs
//! [`Manifest::with_permission_files`](crate::Manifest::with_permission_files), with `Edit` for [`check`] and [`replace`].
//!
//! An edit reads, changes and calls [`replace`] with the version it read; on [`PermissionFilesError::Conflict`] it starts
//! again. So no edit is ever lost.

use crate::Version;
use crate::bindings::mngr::gateway::permission_files as wit;

pub use crate::bindings::mngr::gateway::permission_files::{
    Approval, Boundary, Cause, PermissionsFile,
};

/// Why a permissions file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PermissionFilesError {
    /// The manifest or the policy does not give this access.
    #[error(
        "this access to permissions files is not granted; ask for it in the manifest and grant it in the policy"
    )]
    NotGranted,
    /// `LATCHKEY_EXTENSION_PERMISSIONS_ROOT` is not set.
    #[error("LATCHKEY_EXTENSION_PERMISSIONS_ROOT is not set")]
    RootNotSet,
    /// The path leaves the boundary.
    #[error("the path lies outside the directories in which permissions files may be used")]
    Outside,
    /// No such file at the resolved path.
    #[error("no permissions file at {0}")]
    Missing(String),
    /// The file is no longer at the version that the edit started from.
    #[error("the file was changed by somebody else; read it again")]
    Conflict,
    /// The file could not be read or written.
    #[error("{path}: {detail}")]
    Storage {
        /// The resolved path.
        path: String,
        /// What the system said.
        detail: String,
    },
}

impl From<wit::Error> for PermissionFilesError {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::NotGranted => Self::NotGranted,
            wit::Error::RootNotSet => Self::RootNotSet,
            wit::Error::Outside => Self::Outside,
            wit::Error::Missing(path) => Self::Missing(path),
            wit::Error::Conflict => Self::Conflict,
            wit::Error::Storage(wit::Failure { path, detail }) => Self::Storage { path, detail },
        }
    }
}

/// The gateway could not decide by the checked content; the text says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// The file that allowed the request `request_id`, or none when it still has the version `known`. Its `path` is the one in
/// the request's context.
pub async fn read_applied(
    request_id: &str,
    known: Option<Version>,
) -> Result<Option<PermissionsFile>, PermissionFilesError> {
    Ok(wit::read_applied(request_id.to_owned(), known).await?)
}

/// The file at `path`, or none when it still has the version `known`.
pub async fn read(
    path: &str,
    within: Boundary,
    known: Option<Version>,
) -> Result<Option<PermissionsFile>, PermissionFilesError> {
    Ok(wit::read(path.to_owned(), within, known).await?)
}

/// Whether the gateway could decide by a file with this content at `path`.
pub async fn check(path: &str, within: Boundary, content: Vec<u8>) -> Result<(), Unusable> {
    wit::check(path.to_owned(), within, content)
        .await
        .map_err(Unusable)
}

/// Replaces the file's content, durably and atomically, if it still has the version `base` (none: if it does not exist), and
/// returns the new version. The gateway notes for people which permissions are granted and revoked by that, and the `cause`.
pub async fn replace(
    path: &str,
    within: Boundary,
    content: Vec<u8>,
    base: Option<Version>,
    cause: Option<Cause>,
) -> Result<Version, PermissionFilesError> {
    Ok(wit::replace(path.to_owned(), within, content, base, cause).await?)
}

//! Everything that this extension answers with an error, and the one place that words it for the client.

use mngr_extension::BodyError;
use mngr_extension::catalog::CatalogError;
use mngr_extension::permission_files::PermissionFilesError;

use crate::permissions_file::Malformed;
use crate::rule_body::InvalidBody;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A query parameter is missing or empty.
    #[error("Missing required '{0}' query parameter.")]
    MissingParameter(&'static str),
    /// There is no permissions root to look below.
    #[error(
        "Permissions extension refuses requests because LATCHKEY_EXTENSION_PERMISSIONS_ROOT is not set."
    )]
    RootNotSet,
    /// The path, as the caller gave it, leads out of the permissions root.
    #[error("Path '{0}' resolves outside LATCHKEY_EXTENSION_PERMISSIONS_ROOT.")]
    Outside(String),
    /// There is no such file.
    #[error("permissions.json not found at {0}")]
    FileMissing(String),
    /// The file is not what a permissions file must be.
    #[error("permissions.json at {path} is malformed: {detail}")]
    FileMalformed {
        /// Where it is.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// The file could not be replaced.
    #[error("Failed to write {path}: {detail}")]
    WriteFailed {
        /// Where it is.
        path: String,
        /// What the system said.
        detail: String,
    },
    /// Others changed the file at every attempt.
    #[error("permissions.json at {0} is being changed too often by others; try again")]
    Contended(String),
    /// No rule has this key.
    #[error("No rule with key '{0}' in permissions.json")]
    RuleMissing(String),
    /// The body of a rules POST.
    #[error("Invalid request body: {0}")]
    InvalidBody(#[from] InvalidBody),
    /// The body could not be taken in.
    #[error("Invalid request body: {0}")]
    Body(#[from] BodyError),
    /// The service name is not one.
    #[error("Invalid service name '{0}': must match /^[a-z0-9][a-z0-9-]*$/.")]
    InvalidServiceName(String),
    /// The catalog does not have the service.
    #[error("No permission catalog entry for service '{0}'.")]
    ServiceMissing(String),
    /// The catalog could not be read.
    #[error("Could not load services.json: {0}")]
    Catalog(#[from] CatalogError),
    /// The catalog is not the JSON that the gateway promises.
    #[error("Could not load services.json: {0}")]
    CatalogMalformed(String),
    /// The gateway does not let this extension at permissions files.
    #[error("The permissions extension may not use permissions files: {0}")]
    NotGranted(PermissionFilesError),
}

impl Refusal {
    /// The status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::MissingParameter(_) | Self::InvalidBody(_) | Self::InvalidServiceName(_) => 400,
            Self::Body(BodyError::TooLarge { .. }) => 413,
            Self::Body(_) => 400,
            Self::RootNotSet | Self::Outside(_) => 403,
            Self::FileMissing(_) | Self::RuleMissing(_) | Self::ServiceMissing(_) => 404,
            Self::Contended(_) => 503,
            Self::FileMalformed { .. }
            | Self::WriteFailed { .. }
            | Self::Catalog(_)
            | Self::CatalogMalformed(_)
            | Self::NotGranted(_) => 500,
        }
    }

    /// What a failed reading of the file that the caller named `raw` means for the caller.
    pub fn from_reading(error: PermissionFilesError, raw: &str) -> Self {
        match error {
            PermissionFilesError::RootNotSet => Self::RootNotSet,
            PermissionFilesError::Outside => Self::Outside(raw.to_owned()),
            PermissionFilesError::Missing(path) => Self::FileMissing(path),
            PermissionFilesError::Storage { path, detail } => Self::FileMalformed {
                path,
                detail: format!("cannot read file: {detail}"),
            },
            PermissionFilesError::Conflict => Self::Contended(raw.to_owned()),
            error @ PermissionFilesError::NotGranted => Self::NotGranted(error),
        }
    }

    /// What a failed replacement of the file that the caller named `raw` means for the caller.
    pub fn from_writing(error: PermissionFilesError, raw: &str) -> Self {
        match error {
            PermissionFilesError::Storage { path, detail } => Self::WriteFailed { path, detail },
            other => Self::from_reading(other, raw),
        }
    }

    /// The file at `path` has the wrong content.
    pub fn malformed(path: &str, malformed: &Malformed) -> Self {
        Self::FileMalformed {
            path: path.to_owned(),
            detail: malformed.to_string(),
        }
    }
}

//! Everything that this extension answers with an error, and the one place that words it for the client.

use mngr_extension::BodyError;
use mngr_extension::catalog::CatalogError;
use mngr_extension::documents::DocumentsError;
use mngr_extension::events::EventsError;
use mngr_extension::permission_files::{PermissionFilesError, Unusable};
use permission_grants::{InvalidEffect, Unmergeable};

use crate::identifier::{InvalidRequestId, RequestId};
use crate::proposal::InvalidProposal;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body of a new request.
    #[error("Invalid request body: {0}")]
    InvalidProposal(#[from] InvalidProposal),
    /// The body could not be taken in.
    #[error("Invalid request body: {0}.")]
    Body(#[from] BodyError),
    /// The path names no request.
    #[error("Invalid request_id: {0}")]
    InvalidRequestId(#[from] InvalidRequestId),
    /// No such request is pending.
    #[error("Permission request '{0}' not found.")]
    NotFound(RequestId),
    /// The catalog could not be read.
    #[error("Could not load services.json: {0}")]
    Catalog(#[from] CatalogError),
    /// The catalog is not the JSON that the gateway promises.
    #[error("Could not load services.json: {0}")]
    CatalogMalformed(serde_json::Error),
    /// The pending requests could not be read or written.
    #[error("Could not use the pending permission requests: {0}")]
    Documents(#[from] DocumentsError),
    /// New requests cannot be waited for.
    #[error("Could not follow the pending permission requests: {0}")]
    Events(EventsError),
    /// A record could not be written as JSON.
    #[error("Could not write the permission request: {0}")]
    Record(serde_json::Error),
    /// Somebody has changed the record by hand into what cannot be approved.
    #[error(
        "Permission request '{id}' cannot be approved because {reason}; correct or delete it and let the agent ask again."
    )]
    InvalidEffect {
        /// The request.
        id: RequestId,
        /// What is wrong with its effect.
        reason: InvalidEffect,
    },
    /// The target is in a place where nothing may be written.
    #[error(
        "Permission request '{id}' cannot be approved because its target {target} lies outside the latchkey directory and \
         the permissions root; the request stays pending."
    )]
    TargetOutside {
        /// The request.
        id: RequestId,
        /// The permissions file that it would change.
        target: String,
    },
    /// The target is there and cannot be added to.
    #[error(
        "Permissions config at {target} {reason}; correct the file by hand. Permission request '{id}' stays pending."
    )]
    TargetMalformed {
        /// The request.
        id: RequestId,
        /// The permissions file that it would change.
        target: String,
        /// What is wrong with it.
        reason: Unmergeable,
    },
    /// The gateway could not decide by the target after the approval.
    #[error(
        "Approving permission request '{id}' would leave {target} unusable: {reason}. Nothing was changed and the request \
         stays pending."
    )]
    TargetUnusable {
        /// The request.
        id: RequestId,
        /// The permissions file that it would change.
        target: String,
        /// Why the gateway could not use it.
        reason: Unusable,
    },
    /// The target could not be read or written.
    #[error(
        "Could not use the permissions config {target}: {reason}. Permission request '{id}' stays pending."
    )]
    TargetFailed {
        /// The request.
        id: RequestId,
        /// The permissions file that it would change.
        target: String,
        /// What the gateway said.
        reason: PermissionFilesError,
    },
    /// Others changed the target at every attempt.
    #[error(
        "Permissions config at {target} is being changed too often by others; try again. Permission request '{id}' stays \
         pending."
    )]
    Contended {
        /// The request.
        id: RequestId,
        /// The permissions file that it would change.
        target: String,
    },
    /// The grant is on disk, but the request is still there.
    #[error(
        "Approved '{id}', but could not remove the pending request: {reason}. Approving it again is safe."
    )]
    NotRemoved {
        /// The request.
        id: RequestId,
        /// What the gateway said.
        reason: DocumentsError,
    },
}

impl Refusal {
    /// The status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Body(BodyError::TooLarge { .. }) => 413,
            Self::InvalidProposal(_) | Self::Body(_) | Self::InvalidRequestId(_) => 400,
            Self::TargetOutside { .. } => 403,
            Self::NotFound(_) => 404,
            Self::TargetUnusable { .. } => 409,
            Self::Contended { .. } => 503,
            Self::Catalog(_)
            | Self::CatalogMalformed(_)
            | Self::Documents(_)
            | Self::Events(_)
            | Self::Record(_)
            | Self::InvalidEffect { .. }
            | Self::TargetMalformed { .. }
            | Self::TargetFailed { .. }
            | Self::NotRemoved { .. } => 500,
        }
    }
}

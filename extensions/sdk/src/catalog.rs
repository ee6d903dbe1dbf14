//! The service catalog. Needs [`Manifest::with_catalog`](crate::Manifest::with_catalog).

use crate::Version;
use crate::bindings::mngr::gateway::catalog as wit;

pub use crate::bindings::mngr::gateway::types::Document;

/// The catalog could not be read: the file is missing or broken, or not granted. The text names the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CatalogError(String);

/// The catalog as its file stands now, or none when it still has the version `known`. The content is a JSON object of
/// service name to an array of `{"scope", "display_name", "description"?, "permissions": [{"name", "description"?}]}`.
pub async fn read(known: Option<Version>) -> Result<Option<Document>, CatalogError> {
    wit::read(known).await.map_err(CatalogError)
}

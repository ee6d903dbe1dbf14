//! Named collections of small JSON documents, kept durably. Needs
//! [`Manifest::with_collection`](crate::Manifest::with_collection) for each collection.

use crate::Version;
use crate::bindings::mngr::gateway::documents as wit;

pub use crate::bindings::mngr::gateway::documents::{Entry, Listing};

/// Why a collection could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The collection is not granted to this extension.
    #[error(
        "the collection is not granted to this extension; name it in the manifest and grant it in the policy"
    )]
    NotGranted,
    /// A document of that name exists.
    #[error("a document of that name exists")]
    Exists,
    /// The name is not `^[A-Za-z0-9._-]+$`, or is `.` or `..`.
    #[error("the document's name must match ^[A-Za-z0-9._-]+$ and not be '.' or '..'")]
    InvalidName,
    /// The storage failed; the text names the path.
    #[error("{0}")]
    Storage(String),
}

impl From<wit::Error> for DocumentsError {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::NotGranted => Self::NotGranted,
            wit::Error::Exists => Self::Exists,
            wit::Error::InvalidName => Self::InvalidName,
            wit::Error::Storage(message) => Self::Storage(message),
        }
    }
}

/// Every document of the collection, sorted by name, or none when it still has the version `known`. An absent collection is
/// empty.
pub async fn list(
    collection: &str,
    known: Option<Version>,
) -> Result<Option<Listing>, DocumentsError> {
    Ok(wit::list(collection.to_owned(), known).await?)
}

/// One document's content; none when there is none of that name.
pub async fn get(collection: &str, name: &str) -> Result<Option<Vec<u8>>, DocumentsError> {
    Ok(wit::get(collection.to_owned(), name.to_owned()).await?)
}

/// Adds a document. When it returns, the document is on disk and in every listing read from then on.
pub async fn put_new(collection: &str, name: &str, content: Vec<u8>) -> Result<(), DocumentsError> {
    Ok(wit::put_new(collection.to_owned(), name.to_owned(), content).await?)
}

/// Removes a document durably. False when there is none of that name.
pub async fn delete(collection: &str, name: &str) -> Result<bool, DocumentsError> {
    Ok(wit::delete(collection.to_owned(), name.to_owned()).await?)
}

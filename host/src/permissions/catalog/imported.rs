//! The catalog that an operator has imported: one private file, which replaces the embedded catalog for as long as it exists.
//!
//! What is written has been checked. What is read is checked again as far as it is cheap, and a file that is not as it was
//! written is an error: falling back to another catalog would change what agents may do without anybody's asking.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::listing::Listing;
use super::origin::Origin;
use super::{Catalog, validation};
use crate::store::durable::{self, PRIVATE_FILE, StorageError};
use crate::store::paths::LatchkeyDirectory;

/// Far above any catalog, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Raised when an older program could misread the file.
const FORMAT: u32 = 1;

/// The imported catalog cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the imported catalog {} {problem}; import it again with `mngr-latchkey catalog import`, or return to the built-in one with `mngr-latchkey catalog reset`",
    path.display()
)]
pub struct UnusableImport {
    path: PathBuf,
    problem: String,
}

/// What the file holds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    origin: Origin,
    /// As clients see it.
    services: Value,
    /// By name; there may be some that no scope lists.
    schemas: Map<String, Value>,
}

impl Catalog {
    /// The imported catalog of `directory` if there is one, else the embedded one. Blocking.
    ///
    /// # Errors
    /// When there is an imported one that cannot be used.
    pub fn in_use(directory: &LatchkeyDirectory) -> Result<Self, UnusableImport> {
        let path = directory.imported_catalog();
        let unusable = |problem| UnusableImport {
            path: path.clone(),
            problem,
        };
        match durable::read(&path, LARGEST) {
            Ok(None) => Ok(Self::builtin()),
            Ok(Some((content, _))) => {
                parse(&content).map_err(|problem| unusable(format!("is broken: {problem}")))
            }
            Err(error) => Err(unusable(format!("cannot be read: {error}"))),
        }
    }
}

/// Makes what was imported the catalog in use. Durable when it returns; blocking.
pub(super) fn save(
    directory: &LatchkeyDirectory,
    origin: Origin,
    services: &Listing,
    schemas: Map<String, Value>,
) -> Result<(), StorageError> {
    let path = directory.imported_catalog();
    let json = || {
        serde_json::to_vec_pretty(&Document {
            format: FORMAT,
            origin,
            services: serde_json::to_value(services)?,
            schemas,
        })
    };
    let mut content = json().map_err(|error| StorageError::new("write", &path, error.into()))?;
    content.push(b'\n');
    durable::create_dir_all(&directory.plugin_data_dir())?;
    durable::write(&path, &content, PRIVATE_FILE)
}

/// Returns to the embedded catalog. False when it is the one in use anyway. Blocking.
pub fn reset(directory: &LatchkeyDirectory) -> Result<bool, StorageError> {
    durable::remove(&directory.imported_catalog())
}

fn parse(content: &[u8]) -> Result<Catalog, String> {
    let document: Document = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if document.format != FORMAT {
        return Err(format!(
            "its format is {}, and this program knows {FORMAT} alone",
            document.format
        ));
    }
    validation::check(&document.services).map_err(|problem| problem.to_string())?;
    let listing = Listing::deserialize(document.services).map_err(|error| error.to_string())?;
    if let Some(name) = listing
        .names()
        .find(|name| !document.schemas.contains_key(*name))
    {
        return Err(format!("{name:?} has no schema"));
    }
    let odd = |schema: &&Value| !schema.is_object() && !schema.is_boolean();
    if let Some((name, _)) = document.schemas.iter().find(|(_, schema)| odd(schema)) {
        return Err(format!("the schema of {name:?} is no object"));
    }
    Ok(Catalog::new(
        listing,
        document.schemas.into_iter().collect(),
        Some(document.origin),
    ))
}

#[cfg(test)]
mod tests;

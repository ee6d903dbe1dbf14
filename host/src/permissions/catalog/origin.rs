//! Where a catalog comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an imported catalog comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The directory or file that the schemas were read from.
    pub path: String,
    /// What the package says of itself.
    pub version: Option<String>,
    /// RFC 3339, UTC.
    pub imported_at: String,
    pub counts: Counts,
}

/// How large an imported catalog is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub services: usize,
    pub scopes: usize,
    pub permissions: usize,
    /// Scopes and permissions whose schemas are still the built-in ones, because the import lacks them.
    pub kept: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "imported from {}", self.path)?;
        if let Some(version) = &self.version {
            write!(formatter, " (detent {version})")?;
        }
        write!(formatter, " at {}", self.imported_at)
    }
}

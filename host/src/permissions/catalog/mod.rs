//! The service catalog: which services, scopes and permissions exist by name, and what each one matches.
//!
//! One file a service stands under `host/catalog/`; the build checks and embeds them. A scope's schema takes in every
//! encrypted request to the service's API, so that the rule for a scope decides all of it; a permission's schema is narrow
//! and complete in itself (protocol, domain, method, path), so that it grants nothing else even when a rule lists it under
//! another scope. `any` is the engine's own, not the catalog's.
//!
//! An operator's edited `services.json` comes in as bytes and goes through [`validate`].

mod detent;
#[cfg(test)]
mod examples;
mod imported;
mod listing;
#[cfg(test)]
mod order;
mod origin;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod source;
#[cfg(test)]
mod tests;
mod validation;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

pub use detent::{Import, ImportError, OnUnusable, UnusableSchema};
pub use imported::{UnusableImport, reset};
pub use listing::{Listing, Permission, Scope, Service};
pub use origin::{Counts, Origin};
pub use validation::{CatalogError, validate};
pub use words::{Match, matches};

/// A parsed catalog. Clones share it.
#[derive(Clone)]
pub struct Catalog(Arc<Content>);

struct Content {
    listing: Listing,
    schemas: HashMap<String, Value>,
    /// None for the embedded one.
    origin: Option<Origin>,
}

#[allow(
    clippy::panic,
    reason = "what the build has written is part of the program, not input"
)]
static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
    let listing = include_str!(concat!(env!("OUT_DIR"), "/services.json"));
    let schemas = include_str!(concat!(env!("OUT_DIR"), "/schemas.json"));
    Catalog::parse(listing, schemas).unwrap_or_else(|error| panic!("embedded catalog: {error}"))
});

impl Catalog {
    /// The one that this program carries. Parsed at the first call.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    fn parse(listing: &str, schemas: &str) -> serde_json::Result<Self> {
        Ok(Self::new(
            serde_json::from_str(listing)?,
            serde_json::from_str(schemas)?,
            None,
        ))
    }

    fn new(listing: Listing, schemas: HashMap<String, Value>, origin: Option<Origin>) -> Self {
        Self(Arc::new(Content {
            listing,
            schemas,
            origin,
        }))
    }

    /// The schema of a scope or permission; none for an unknown name.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.0.schemas.get(name)
    }

    /// Its services with their scopes and permissions.
    pub fn listing(&self) -> &Listing {
        &self.0.listing
    }

    /// Where it was imported from; none for the one that this program carries.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Catalog")
            .field("origin", &self.0.origin)
            .finish_non_exhaustive()
    }
}

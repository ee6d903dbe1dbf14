//! The service catalog: which services, scopes and permissions exist by name, and what each one matches.
//!
//! One file a service stands under `host/catalog/`; the build checks and embeds them. A scope's schema takes in every
//! encrypted request to the service's API, so that the rule for a scope decides all of it; a permission's schema is narrow
//! and complete in itself (protocol, domain, method, path), so that it grants nothing else even when a rule lists it under
//! another scope. `any` is the engine's own, not the catalog's.
//!
//! An operator's edited `services.json` comes in as bytes and goes through [`validate`].

#[cfg(test)]
mod examples;
mod listing;
#[cfg(test)]
mod order;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod source;
#[cfg(test)]
mod tests;
mod validation;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

pub use listing::{Listing, Permission, Scope, Service};
pub use validation::{CatalogError, validate};

/// A parsed catalog. Clones share it.
#[derive(Clone)]
pub struct Catalog(Arc<Content>);

struct Content {
    listing: Listing,
    schemas: HashMap<String, Value>,
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
        Ok(Self(Arc::new(Content {
            listing: serde_json::from_str(listing)?,
            schemas: serde_json::from_str(schemas)?,
        })))
    }

    /// The schema of a scope or permission; none for an unknown name.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.0.schemas.get(name)
    }

    /// Its services with their scopes and permissions.
    pub fn listing(&self) -> &Listing {
        &self.0.listing
    }
}

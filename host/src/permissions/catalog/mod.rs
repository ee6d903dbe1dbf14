//! The built-in service catalog: which services, scopes and permissions exist by name, and what each one matches.
//!
//! One file a service stands under `host/catalog/` and is embedded. A scope's schema takes in every encrypted request to
//! the service's API, so that the rule for a scope decides all of it; a permission's schema is narrow and complete in
//! itself (protocol, domain, method, path), so that it grants nothing else even when a rule lists it under another scope.
//! A name whose schema is not written yet is known and matches nothing. `any` is the engine's own, not the catalog's.
//!
//! Nothing here reads a file: an operator's edited `services.json` comes in as bytes and goes through [`validate`].

mod embedded;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
mod validation;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub use validation::{CatalogError, validate};

/// The parsed catalog. There is one, [`builtin`].
pub struct Catalog {
    services: Vec<Service>,
    schemas: HashMap<String, Value>,
}

struct Service {
    name: &'static str,
    scopes: Vec<ScopeEntry>,
}

/// One scope of a service as its source file has it. What is serialised is the part that clients see.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ScopeEntry {
    scope: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing)]
    schema: Option<Value>,
    /// Requests that the tests hold the schema to.
    #[serde(skip_serializing, rename = "examples")]
    _examples: Option<IgnoredAny>,
    permissions: Vec<PermissionEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PermissionEntry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing)]
    schema: Option<Value>,
    #[serde(skip_serializing, rename = "examples")]
    _examples: Option<IgnoredAny>,
}

#[allow(
    clippy::panic,
    reason = "the files are part of the program, not input, and a test reads every one of them"
)]
static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(&embedded::SERVICES)
        .unwrap_or_else(|(service, error)| panic!("embedded catalog file {service}.json: {error}"))
});

/// The catalog that this program carries. Parsed at the first call.
pub fn builtin() -> &'static Catalog {
    &BUILTIN
}

impl Catalog {
    fn parse(sources: &[(&'static str, &str)]) -> Result<Self, (&'static str, serde_json::Error)> {
        let mut services = Vec::with_capacity(sources.len());
        let mut schemas = HashMap::new();
        for &(name, source) in sources {
            let mut scopes: Vec<ScopeEntry> =
                serde_json::from_str(source).map_err(|error| (name, error))?;
            for scope in &mut scopes {
                schemas.insert(
                    scope.scope.clone(),
                    scope.schema.take().unwrap_or(Value::Bool(false)),
                );
                for permission in &mut scope.permissions {
                    schemas.insert(
                        permission.name.clone(),
                        permission.schema.take().unwrap_or(Value::Bool(false)),
                    );
                }
            }
            services.push(Service { name, scopes });
        }
        Ok(Self { services, schemas })
    }

    /// The schema of a scope or permission: `false` for one that is known but not written yet, none for an unknown name.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.schemas.get(name)
    }

    /// The content of `services.json`: names and descriptions without schemas, services in catalog order, pretty-printed
    /// with a trailing newline.
    pub fn services_json(&self) -> String {
        // Writing plain strings and lists into memory has no way to fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl Serialize for Catalog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.services
                .iter()
                .map(|service| (service.name, &service.scopes)),
        )
    }
}

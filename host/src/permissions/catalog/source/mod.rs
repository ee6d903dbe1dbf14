//! The source files of the catalog, `host/catalog/<service>.json`, as the build and the tests read them.
//!
//! The build refuses a catalog with a [`Problem`], so the program can take what it embeds as it is. Nothing of this is in the
//! program. It must not use anything of the crate but [`super::listing`] and the patterns: a build script has no more.

mod check;
mod example;
mod methods;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::listing::{self, Listing};

pub use check::{Problem, check};
pub use example::{Example, Examples};
pub use methods::{is_read, is_write};

/// One source file.
pub struct Service {
    pub name: &'static str,
    pub scopes: Vec<Scope>,
}

/// A scope as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub scope: String,
    pub display_name: String,
    pub description: Option<String>,
    /// Why it has no permissions.
    pub undivided: Option<String>,
    pub schema: Option<Value>,
    #[serde(default)]
    pub examples: Examples,
    pub permissions: Vec<Permission>,
}

/// A permission as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    pub name: String,
    pub description: Option<String>,
    pub schema: Option<Value>,
    #[serde(default)]
    pub examples: Examples,
}

/// What a scope and a permission have in common.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub description: Option<&'a str>,
    pub schema: Option<&'a Value>,
    pub examples: &'a Examples,
}

impl Service {
    /// Fails with what is wrong with `source`, and where.
    pub fn read(name: &'static str, source: &str) -> Result<Self, Problem> {
        let scopes = serde_json::from_str(source)
            .map_err(|error| Problem::of_file(name, format!("{error}; correct it")))?;
        Ok(Self { name, scopes })
    }
}

impl Scope {
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            name: &self.scope,
            description: self.description.as_deref(),
            schema: self.schema.as_ref(),
            examples: &self.examples,
        }
    }

    /// The scope, then its permissions.
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        std::iter::once(self.entry()).chain(self.permissions.iter().map(Permission::entry))
    }
}

impl Permission {
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            name: &self.name,
            description: self.description.as_deref(),
            schema: self.schema.as_ref(),
            examples: &self.examples,
        }
    }
}

/// What clients see.
pub fn listing(services: &[Service]) -> Listing {
    let permission = |permission: &Permission| listing::Permission {
        name: permission.name.clone(),
        description: permission.description.clone(),
    };
    let scope = |scope: &Scope| listing::Scope {
        name: scope.scope.clone(),
        display_name: scope.display_name.clone(),
        description: scope.description.clone(),
        permissions: scope.permissions.iter().map(permission).collect(),
    };
    let service = |service: &Service| listing::Service {
        name: service.name.to_owned(),
        scopes: service.scopes.iter().map(scope).collect(),
    };
    Listing(services.iter().map(service).collect())
}

/// What the engine knows: the schemas by name.
pub fn schemas(services: &[Service]) -> Map<String, Value> {
    services
        .iter()
        .flat_map(|service| &service.scopes)
        .flat_map(Scope::entries)
        .filter_map(|entry| Some((entry.name.to_owned(), entry.schema?.clone())))
        .collect()
}

/// Calls `visit` with every object inside a schema, itself included.
pub fn for_each_object<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object
                .values()
                .for_each(|value| for_each_object(value, visit));
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|value| for_each_object(value, visit)),
        _ => {}
    }
}

//! The schemas that exist without being defined in a file.

use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::catalog::{Catalog, Listing};

static ANY: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

/// Which schemas a permissions file may use without defining them: those of a catalog and `any`, or none. Cheap to clone.
#[derive(Clone)]
pub struct BuiltinSchemas(Option<Catalog>);

impl BuiltinSchemas {
    /// `any`, and the scopes and permissions of the catalog that this program carries.
    pub fn standard() -> Self {
        Self::of(Catalog::builtin())
    }

    /// `any`, and the scopes and permissions of `catalog`.
    pub fn of(catalog: Catalog) -> Self {
        Self(Some(catalog))
    }

    /// None at all, not even `any`.
    pub fn none() -> Self {
        Self(None)
    }

    /// The services with their scopes and permissions; none where there are no schemas.
    pub fn listing(&self) -> Option<&Listing> {
        self.0.as_ref().map(Catalog::listing)
    }

    /// The schema that a name stands for without being defined.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let catalog = self.0.as_ref()?;
        if name == "any" {
            return Some(&ANY);
        }
        catalog.schema(name)
    }
}

impl fmt::Debug for BuiltinSchemas {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Some(_) => "BuiltinSchemas(a catalog)",
            None => "BuiltinSchemas(none)",
        })
    }
}

//! The schemas that exist without being defined in a file.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::catalog;

static ANY: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

/// Which schemas a permissions file may use without defining them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinSchemas(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Standard,
    None,
}

impl BuiltinSchemas {
    /// `any`, and the scopes and permissions of the service catalog.
    pub fn standard() -> Self {
        Self(Set::Standard)
    }

    /// None at all, not even `any`.
    pub fn none() -> Self {
        Self(Set::None)
    }

    pub(super) fn get(self, name: &str) -> Option<&'static Value> {
        match self.0 {
            Set::None => None,
            Set::Standard if name == "any" => Some(&ANY),
            Set::Standard => catalog::builtin().schema(name),
        }
    }
}

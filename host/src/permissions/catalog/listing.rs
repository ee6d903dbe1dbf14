//! What clients see of a catalog: `services.json`, names and descriptions without schemas.
//!
//! Order is part of it: services, scopes and permissions stand as the catalog lists them. A file that an operator wrote goes
//! through [`super::validate`] first, which says where it is wrong. The build uses these types too.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The services of a catalog, serialised as an object of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing(pub Vec<Service>);

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    pub scopes: Vec<Scope>,
}

/// One scope of a service: the key of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Scope {
    #[serde(rename = "scope")]
    pub name: String,
    /// The scope's name for people.
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub permissions: Vec<Permission>,
}

/// One permission under a scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Permission {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Listing {
    /// The content of `services.json`: pretty-printed, with a trailing newline.
    pub fn to_json(&self) -> String {
        // Writing plain strings and lists into memory has no way to fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }

    /// Every scope with the service that it belongs to.
    pub fn scopes(&self) -> impl Iterator<Item = (&Service, &Scope)> {
        self.0
            .iter()
            .flat_map(|service| service.scopes.iter().map(move |scope| (service, scope)))
    }

    /// The service that a scope or permission belongs to.
    pub fn service_of(&self, name: &str) -> Option<&Service> {
        let (service, _) = self
            .scopes()
            .find(|(_, scope)| scope.names().any(|other| other == name))?;
        Some(service)
    }

    /// The names of all scopes and permissions, each scope before its permissions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scopes().flat_map(|(_, scope)| scope.names())
    }
}

impl Scope {
    /// Its own name, then those of its permissions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let permissions = self
            .permissions
            .iter()
            .map(|permission| permission.name.as_str());
        std::iter::once(self.name.as_str()).chain(permissions)
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|service| (&service.name, &service.scopes)),
        )
    }
}

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Services;
        impl<'de> Visitor<'de> for Services {
            type Value = Listing;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of service names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listing, A::Error> {
                let mut services = Vec::new();
                while let Some((name, scopes)) = map.next_entry()? {
                    services.push(Service { name, scopes });
                }
                Ok(Listing(services))
            }
        }
        deserializer.deserialize_map(Services)
    }
}

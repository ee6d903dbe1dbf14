//! Which permissions the service catalog lists under which scope. It is parsed once a version of its file.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use mngr_extension::{Version, catalog};
use serde::Deserialize;

use crate::refusal::Refusal;

/// Listed under no scope and granted under every one.
const EVERYTHING: &str = "any";

#[derive(Deserialize)]
struct Entry {
    scope: String,
    permissions: Vec<Permission>,
}

#[derive(Deserialize)]
struct Permission {
    name: String,
}

/// Permission names by scope; entries of several services that share a scope are united.
#[derive(Debug, Default)]
pub struct Scopes(HashMap<String, HashSet<String>>);

impl Scopes {
    /// Takes in a catalog's content.
    pub fn parse(content: &[u8]) -> Result<Self, serde_json::Error> {
        let services: HashMap<String, Vec<Entry>> = serde_json::from_slice(content)?;
        let mut scopes: HashMap<String, HashSet<String>> = HashMap::new();
        for entry in services.into_values().flatten() {
            let names = entry
                .permissions
                .into_iter()
                .map(|permission| permission.name);
            scopes.entry(entry.scope).or_default().extend(names);
        }
        Ok(Self(scopes))
    }

    /// What of `permissions` the scope does not have; none when the scope is unknown.
    pub fn unknown<'a>(&self, scope: &str, permissions: &'a [String]) -> Option<Vec<&'a str>> {
        let listed = self.0.get(scope)?;
        let is_unknown = |name: &&str| *name != EVERYTHING && !listed.contains(*name);
        Some(
            permissions
                .iter()
                .map(String::as_str)
                .filter(is_unknown)
                .collect(),
        )
    }
}

/// The catalog's scopes as they were read last.
#[derive(Debug, Default)]
pub struct ScopeCatalog(RefCell<Option<(Version, Rc<Scopes>)>>);

impl ScopeCatalog {
    /// The scopes as the catalog has them now.
    pub async fn read(&self) -> Result<Rc<Scopes>, Refusal> {
        let known = self.0.borrow().clone();
        match (
            catalog::read(known.as_ref().map(|(version, _)| *version)).await?,
            known,
        ) {
            (None, Some((_, scopes))) => Ok(scopes),
            (None, None) => Ok(Rc::default()),
            (Some(document), _) => {
                let scopes =
                    Rc::new(Scopes::parse(&document.content).map_err(Refusal::CatalogMalformed)?);
                self.0.replace(Some((document.version, Rc::clone(&scopes))));
                Ok(scopes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_share_a_scope_are_united() {
        let scopes = Scopes::parse(
            br#"{"a": [{"scope": "s", "display_name": "A", "permissions": [{"name": "x", "description": "X"}]}],
                 "b": [{"scope": "s", "display_name": "B", "permissions": [{"name": "y"}]},
                       {"scope": "t", "display_name": "B", "permissions": []}]}"#,
        )
        .expect("a catalog");
        let asked = ["x", "z", "y", "any", "w"].map(str::to_owned);
        assert_eq!(scopes.unknown("s", &asked), Some(vec!["z", "w"]));
        assert_eq!(scopes.unknown("t", &asked), Some(vec!["x", "z", "y", "w"]));
        assert_eq!(scopes.unknown("u", &[]), None);
        assert!(Scopes::parse(br#"{"a": {}}"#).is_err());
    }
}

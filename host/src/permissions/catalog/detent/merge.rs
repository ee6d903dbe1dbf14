//! Puts schemas into the places that this program's catalog has for them, and finds places for the others.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::package::File;
use crate::permissions::catalog::Catalog;
use crate::permissions::catalog::listing::{Listing, Permission, Scope, Service};

/// Its schemas below the scope match by domain alone, as scopes do, and are permissions all the same.
const DOMAINS_ARE_PERMISSIONS: &str = "aws";
/// Ends the names of scopes that take in an API.
const API: &str = "-api";

/// A catalog, and what became of its names.
pub(super) struct Merged {
    pub listing: Listing,
    pub schemas: Map<String, Value>,
    pub kept: Vec<String>,
    pub added: Vec<String>,
    pub unlisted: Vec<String>,
}

/// A scope by the indices of its service and of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    service: usize,
    scope: usize,
}

/// Merges `files`, whose names are unique, into the catalog `own`.
pub(super) fn merge(files: &[File], own: &Catalog) -> Merged {
    let mut places = Places::of(own.listing().clone());
    let mut added = Vec::new();
    let mut unlisted = Vec::new();
    let imported: HashMap<&str, &Value> = files
        .iter()
        .flat_map(|file| &file.schemas)
        .map(|(name, schema)| (name.as_str(), schema))
        .collect();
    // Scopes first: a permission may stand before its scope.
    for file in files {
        for (name, schema) in &file.schemas {
            if !places.known.contains_key(name) && is_scope(name, schema, file) {
                places.add_scope(name, file.service.as_deref());
                added.push(name.clone());
            }
        }
    }
    for file in files {
        let mut nearest = None;
        for (name, _) in &file.schemas {
            if let Some(place) = places.known.get(name) {
                nearest = Some(*place);
            } else if let Some(place) = places.for_permission(name, file, nearest) {
                places.add_permission(name, place);
                nearest = Some(place);
                added.push(name.clone());
            } else {
                unlisted.push(name.clone());
            }
        }
    }
    let mut listing = places.listing;
    describe(&mut listing, &imported);
    let kept = listing
        .names()
        .filter(|name| !imported.contains_key(name))
        .map(str::to_owned)
        .collect();
    let mut schemas = Map::new();
    let listed: Vec<_> = listing.names().collect();
    for name in listed
        .into_iter()
        .chain(unlisted.iter().map(String::as_str))
    {
        let schema = imported.get(name).copied().or_else(|| own.schema(name));
        if let Some(schema) = schema {
            schemas.insert(name.to_owned(), schema.clone());
        }
    }
    Merged {
        listing,
        schemas,
        kept,
        added,
        unlisted,
    }
}

/// As detent itself tells them apart: a scope is about a domain and not about methods.
fn is_scope(name: &str, schema: &Value, file: &File) -> bool {
    let is_domains_permission = match &file.service {
        Some(service) => service == DOMAINS_ARE_PERMISSIONS,
        None => belongs(name, DOMAINS_ARE_PERMISSIONS),
    };
    let requires_domain = schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|required| required.iter().any(|key| key == "domain"));
    requires_domain && schema.pointer("/properties/method").is_none() && !is_domains_permission
}

/// Whether a name says that it is part of a service.
fn belongs(name: &str, service: &str) -> bool {
    name.strip_prefix(service)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

struct Places {
    listing: Listing,
    /// Where the scopes are, and the scopes of the permissions.
    known: HashMap<String, Place>,
}

impl Places {
    fn of(listing: Listing) -> Self {
        let mut known = HashMap::new();
        for (service, scopes) in listing.0.iter().enumerate() {
            for (scope, entry) in scopes.scopes.iter().enumerate() {
                known.extend(
                    entry
                        .names()
                        .map(|name| (name.to_owned(), Place { service, scope })),
                );
            }
        }
        Self { listing, known }
    }

    fn service_named(&self, name: &str) -> Option<usize> {
        self.listing
            .0
            .iter()
            .position(|service| service.name == name)
    }

    /// The service that a name is part of; of several the one with the longest name.
    fn service_of(&self, name: &str) -> Option<usize> {
        let services = self.listing.0.iter().enumerate();
        services
            .filter(|(_, service)| belongs(name, &service.name))
            .max_by_key(|(_, service)| service.name.len())
            .map(|(index, _)| index)
    }

    fn add_scope(&mut self, name: &str, service: Option<&str>) {
        let found = match service {
            Some(service) => self.service_named(service),
            None => self.service_of(name),
        };
        let service = found.unwrap_or_else(|| {
            let name = service.unwrap_or_else(|| name.strip_suffix(API).unwrap_or(name));
            self.listing.0.push(Service {
                name: name.to_owned(),
                scopes: Vec::new(),
            });
            self.listing.0.len() - 1
        });
        if let Some(entry) = self.listing.0.get_mut(service) {
            let scope = entry.scopes.len();
            entry.scopes.push(Scope {
                name: name.to_owned(),
                display_name: in_words(name.strip_suffix(API).unwrap_or(name)),
                description: None,
                permissions: Vec::new(),
            });
            self.known.insert(name.to_owned(), Place { service, scope });
        }
    }

    /// The scope that a new permission goes under: that of what stands before it in its file, if it is of the same service.
    fn for_permission(&self, name: &str, file: &File, nearest: Option<Place>) -> Option<Place> {
        let service = match &file.service {
            Some(service) => self.service_named(service),
            None => self.service_of(name),
        }?;
        let has_scope = self
            .listing
            .0
            .get(service)
            .is_some_and(|service| !service.scopes.is_empty());
        let first = has_scope.then_some(Place { service, scope: 0 });
        nearest
            .filter(|nearest| nearest.service == service)
            .or(first)
    }

    fn add_permission(&mut self, name: &str, place: Place) {
        let service = self.listing.0.get_mut(place.service);
        if let Some(scope) = service.and_then(|service| service.scopes.get_mut(place.scope)) {
            scope.permissions.push(Permission {
                name: name.to_owned(),
                description: None,
            });
            self.known.insert(name.to_owned(), place);
        }
    }
}

/// Has every imported name described by its source; what a schema does not match should not be said of it.
fn describe(listing: &mut Listing, imported: &HashMap<&str, &Value>) {
    let of = |name: &str, present: &mut Option<String>| {
        if let Some(schema) = imported.get(name) {
            let said = |key: &str| schema.get(key).and_then(Value::as_str);
            *present = said("$comment")
                .or_else(|| said("description"))
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty());
        }
    };
    for scope in listing.0.iter_mut().flat_map(|service| &mut service.scopes) {
        of(&scope.name, &mut scope.description);
        for permission in &mut scope.permissions {
            of(&permission.name, &mut permission.description);
        }
    }
}

/// `google-slides` as people write it.
fn in_words(name: &str) -> String {
    let capitalised = name.split('-').map(|word| {
        let mut characters = word.chars();
        let first = characters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(characters).collect::<String>()
    });
    capitalised.collect::<Vec<_>>().join(" ")
}

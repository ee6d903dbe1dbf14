//! Which names may be granted: those that an agent could ask for, and what the file itself defines.

use permission_grants::Members;
use serde_json::Value;

use super::nearness::nearest;
use crate::permissions::CheckError;
use crate::permissions::catalog::{Listing, Scope};

/// Listed under no scope and granted under every one.
pub(super) const EVERYTHING: &str = "any";

/// Why a name cannot be granted. Displayed, it says what may be meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    #[error("'any' as a scope would decide every request; name the scope of a service")]
    EveryScope,
    #[error(
        "'{name}' is no scope of the catalog, and the file does not define it{}",
        meant(near)
    )]
    Scope { name: String, near: Vec<String> },
    #[error("'{name}' is no permission under '{scope}'{}", meant(near))]
    Permission {
        name: String,
        scope: String,
        near: Vec<String>,
    },
}

fn meant(near: &[String]) -> String {
    match near {
        [] => "; see `catalog list`".to_owned(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// Whether the catalog has `permissions` under `scope`. What neither it nor the file itself knows may come from an included
/// file, which is for the engine to say.
pub(super) fn check(
    catalog: Option<&Listing>,
    config: &Members,
    scope: &str,
    permissions: &[String],
) -> Result<(), UnknownName> {
    if is_defined(config, scope) {
        return Ok(());
    }
    if scope == EVERYTHING {
        return Err(UnknownName::EveryScope);
    }
    let Some(catalog) = catalog else {
        return Ok(());
    };
    let entries: Vec<_> = entries(catalog, scope).collect();
    let is_permission = catalog.names().any(|name| name == scope) && entries.is_empty();
    if is_permission {
        return Err(unknown_scope(catalog, config, scope));
    }
    if entries.is_empty() {
        return Ok(());
    }
    let is_listed = |name: &str| {
        entries
            .iter()
            .any(|scope| scope.permissions.iter().any(|known| known.name == name))
    };
    let stranger = permissions.iter().find(|name| {
        *name != EVERYTHING
            && !is_listed(name)
            && !is_defined(config, name)
            && catalog.names().any(|known| known == *name)
    });
    match stranger {
        Some(name) => Err(unknown_permission(catalog, config, scope, name)),
        None => Ok(()),
    }
}

/// The name that the engine does not know either, as a refusal.
pub(super) fn unknown(
    catalog: Option<&Listing>,
    config: &Members,
    error: &CheckError,
) -> Option<UnknownName> {
    let (CheckError::UnknownSchema { name, index, .. }, Some(catalog)) = (error, catalog) else {
        return None;
    };
    let rule = config.get("rules")?.get(index)?.as_object()?;
    let (scope, body) = rule.iter().next()?;
    if scope == name {
        return Some(unknown_scope(catalog, config, name));
    }
    let listed = body.get("schemas").unwrap_or(body).as_array()?;
    let is_own = listed.iter().any(|listed| listed.as_str() == Some(name));
    is_own.then(|| unknown_permission(catalog, config, scope, name))
}

fn unknown_scope(catalog: &Listing, config: &Members, name: &str) -> UnknownName {
    // Whoever names a service means its scopes.
    let mut near: Vec<_> = catalog
        .scopes()
        .filter(|(service, _)| service.name == name)
        .map(|(_, scope)| scope.name.as_str())
        .collect();
    if near.is_empty() {
        let scopes = catalog.scopes().map(|(_, scope)| scope.name.as_str());
        near = nearest(name, scopes.chain(defined(config)));
    }
    UnknownName::Scope {
        name: name.to_owned(),
        near: near.into_iter().map(str::to_owned).collect(),
    }
}

fn unknown_permission(catalog: &Listing, config: &Members, scope: &str, name: &str) -> UnknownName {
    let listed = entries(catalog, scope)
        .flat_map(|scope| &scope.permissions)
        .map(|permission| permission.name.as_str());
    UnknownName::Permission {
        near: nearest(name, listed.chain(defined(config)))
            .into_iter()
            .map(str::to_owned)
            .collect(),
        name: name.to_owned(),
        scope: scope.to_owned(),
    }
}

/// The catalog's entries for a scope, which several services may share.
fn entries<'a>(catalog: &'a Listing, scope: &str) -> impl Iterator<Item = &'a Scope> {
    catalog
        .scopes()
        .map(|(_, entry)| entry)
        .filter(move |entry| entry.name == scope)
}

/// Whether the file itself says what the name stands for.
fn is_defined(config: &Members, name: &str) -> bool {
    ["schemas", "patterns"].into_iter().any(|key| {
        config
            .get(key)
            .is_some_and(|schemas| schemas.get(name).is_some())
    })
}

fn defined(config: &Members) -> impl Iterator<Item = &str> {
    ["schemas", "patterns"]
        .into_iter()
        .filter_map(|key| config.get(key).and_then(Value::as_object))
        .flat_map(|schemas| schemas.keys().map(String::as_str))
}

//! Which properties of a request a schema speaks of: a name that no request has is a mistake that would go unnoticed.

use std::collections::HashSet;

use serde_json::Value;

use super::compile::named_place;
use super::{Fault, Registry};
use crate::permissions::request::PROPERTY_NAMES;

/// Checks the schema `name` at the level of the request: its `properties`, those of its combinations, and those of the
/// named schemas that it refers to there. Those that were `seen` in an earlier check are known to be right.
pub(super) fn check(
    name: &str,
    root: &Value,
    registry: &Registry<'_>,
    seen: &mut HashSet<String>,
) -> Result<(), Fault> {
    if !seen.insert(name.to_owned()) {
        return Ok(());
    }
    let mut pending = vec![(name.to_owned(), root)];
    while let Some((owner, schema)) = pending.pop() {
        let Some(keywords) = schema.as_object() else {
            continue;
        };
        if let Some(unknown) = unknown_property(keywords.get("properties")) {
            return Err(Fault {
                schema: owner,
                detail: format!(
                    "a request has no property {unknown:?}; use {}",
                    PROPERTY_NAMES.join(", ")
                ),
            });
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(branches) = keywords.get(key).and_then(Value::as_array) {
                pending.extend(branches.iter().map(|branch| (owner.clone(), branch)));
            }
        }
        for key in ["if", "then", "else", "not"] {
            pending.extend(keywords.get(key).map(|branch| (owner.clone(), branch)));
        }
        let is_own = |name: &str| {
            let own = registry.get(&owner).and_then(|root| root.get("$defs"));
            own.is_some_and(|own| own.get(name).is_some())
        };
        if let Some((target, "")) = named_place(schema)
            && !is_own(&target)
            && let Some(referred) = registry.get(&target)
            && seen.insert(target.clone())
        {
            pending.push((target, referred));
        }
    }
    Ok(())
}

fn unknown_property(properties: Option<&Value>) -> Option<String> {
    match properties? {
        Value::Object(properties) => properties
            .keys()
            .find(|key| !PROPERTY_NAMES.contains(&key.as_str()))
            .cloned(),
        Value::Array(items) if !items.is_empty() => Some("0".to_owned()),
        _ => None,
    }
}

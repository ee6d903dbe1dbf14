//! Which of several permissions allows least.
//!
//! Schemas cannot be compared as such, so they are tried: on requests that the schemas of all permissions under a scope
//! were made for, built from their constants and patterns. A permission that another one contains allows fewer of them.

use serde_json::{Map, Value};

use super::super::Request;
use super::super::pattern::{samples, spread};
use super::dissection::{Dissection, NamedSchemas};

/// How many requests are built for one permission.
const PROBES: usize = 24;
/// How deep schemas are followed: a request and two levels of a body.
const MAX_DEPTH: usize = 8;

/// Sorts `candidates` by how much they allow, least first; `all` are the permissions that they stand among, with their
/// compiled `schemas`. Those that allow as much stay in their order.
pub(super) fn sort(
    candidates: &mut [&str],
    all: &[&str],
    schemas: &NamedSchemas<'_>,
    dissection: &Dissection,
    request: &Request,
) {
    if candidates.len() < 2 {
        return;
    }
    let mut probes = Vec::new();
    for name in all {
        let Some(schema) = dissection.source(name) else {
            continue;
        };
        let built = instances(schema, request.as_value(), MAX_DEPTH);
        let restored = built.into_iter().filter_map(Request::restore);
        probes.extend(restored.filter(|probe| schemas.matches(name, probe)));
    }
    candidates.sort_by_cached_key(|name| {
        let allowed = probes.iter().filter(|probe| schemas.matches(name, probe));
        allowed.count()
    });
}

/// Values that could match `schema`, otherwise like `base`.
fn instances(schema: &Value, base: &Value, depth: usize) -> Vec<Value> {
    let (Some(keywords), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else {
        return vec![base.clone()];
    };
    if let Some(constant) = keywords.get("const") {
        return vec![constant.clone()];
    }
    if let Some(Value::Array(values)) = keywords.get("enum") {
        return spread(values.clone(), PROBES);
    }
    if let Some(Value::String(pattern)) = keywords.get("pattern") {
        let texts = samples(pattern, PROBES);
        return texts.into_iter().map(Value::String).collect();
    }
    let mut found = vec![base.clone()];
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = keywords.get(key) {
            found = each(&found, |value| {
                let branches = branches.iter();
                branches
                    .flat_map(|branch| instances(branch, value, depth))
                    .collect()
            });
        }
    }
    for part in list(keywords, "allOf") {
        found = each(&found, |value| instances(part, value, depth));
    }
    if let Some(Value::Object(properties)) = keywords.get("properties") {
        for (name, schema) in properties {
            found = each(&found, |value| {
                let part = value.get(name).unwrap_or(&Value::Null);
                let parts = instances(schema, part, depth).into_iter();
                parts.map(|part| with_member(value, name, part)).collect()
            });
        }
    }
    found
}

fn list<'s>(keywords: &'s Map<String, Value>, key: &str) -> &'s [Value] {
    let list = keywords.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn each(values: &[Value], change: impl Fn(&Value) -> Vec<Value>) -> Vec<Value> {
    spread(values.iter().flat_map(change).collect(), PROBES)
}

fn with_member(value: &Value, name: &str, part: Value) -> Value {
    let mut members = value.as_object().cloned().unwrap_or_default();
    // What the schema says nothing about and the base does not have stays away.
    if !part.is_null() {
        members.insert(name.to_owned(), part);
    }
    Value::Object(members)
}

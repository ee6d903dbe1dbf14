//! The keywords of JSON Schema by what they do, as far as a look at a schema needs to know.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Keywords that only mean something together, besides those that stand alone.
const GROUPS: [&[&str]; 3] = [
    &["if", "then", "else"],
    &["patternProperties", "additionalProperties"],
    &[
        "prefixItems",
        "items",
        "additionalItems",
        "contains",
        "minContains",
        "maxContains",
    ],
];

/// Whether a keyword says nothing about what matches.
pub(super) fn is_annotation(key: &str) -> bool {
    matches!(
        key,
        "title"
            | "description"
            | "default"
            | "examples"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "$comment"
            | "$schema"
            | "$defs"
            | "definitions"
            | "$vocabulary"
    )
}

/// Whether what a schema refers to, or is referred to by, depends on the keyword.
pub(super) fn is_reference(key: &str) -> bool {
    matches!(
        key,
        "$ref" | "$dynamicRef" | "$recursiveRef" | "$id" | "id" | "$anchor" | "$dynamicAnchor"
    )
}

/// Whether a reference stands anywhere within.
pub(super) fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key.starts_with('$') && is_reference(key) || refers(value)),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// The name in `{"$ref": "#/$defs/<name>"}`, where the reference is to a whole schema.
pub(super) fn referred_name(schema: &Map<String, Value>) -> Option<String> {
    referred(schema, false)
}

/// The same, also where the reference is to a part of it.
pub(super) fn referred_root(schema: &Map<String, Value>) -> Option<String> {
    referred(schema, true)
}

fn referred(schema: &Map<String, Value>, in_part: bool) -> Option<String> {
    let steps = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    let (name, rest) = steps.split_at(steps.find('/').unwrap_or(steps.len()));
    if !rest.is_empty() && !in_part {
        return None;
    }
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    Some(decoded.replace("~1", "/").replace("~0", "~"))
}

/// Whether a schema names places of its own, which a reference may mean.
pub(super) fn has_places(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, value)| {
            let is_place = matches!(key.as_str(), "$defs" | "definitions" | "$anchor" | "$id")
                || key == "id" && value.is_string();
            is_place || has_places(value)
        }),
        Value::Array(items) => items.iter().any(has_places),
        _ => false,
    }
}

/// Whether a keyword belongs to one of the [`groups`].
pub(super) fn is_grouped(key: &str) -> bool {
    GROUPS.iter().any(|group| group.contains(&key))
}

/// The keywords that only mean something together, a schema for each group. `additionalProperties` is about what the
/// properties beside it leave.
pub(super) fn groups(keywords: &Map<String, Value>) -> impl Iterator<Item = Map<String, Value>> {
    GROUPS.into_iter().filter_map(|group| {
        let with_properties = group.contains(&"additionalProperties")
            && keywords.contains_key("additionalProperties");
        let members = keywords.iter().filter(|(key, _)| {
            group.contains(&key.as_str()) || (with_properties && *key == "properties")
        });
        let members: Map<_, _> = members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        (!members.is_empty()).then_some(members)
    })
}

/// A name as one step of a JSON pointer.
pub(super) fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

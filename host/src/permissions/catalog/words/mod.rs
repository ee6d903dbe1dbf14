//! What a schema matches, in words: methods, domains, paths, and what else it asks for.
//!
//! For people who choose a permission; decisions are made by the schema alone. Where words would be too many, they say that
//! there is more.

mod glob;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value};

/// Parts of a request that have a place of their own in a [`Match`].
const TOLD_APART: [&str; 4] = ["protocol", "domain", "method", "path"];
/// How far into a body is looked.
const DEEPEST: usize = 4;
const EXCEPTIONS: &str = "with exceptions";
/// Branches multiply.
const MOST_KINDS: usize = 200;
const UNTOLD: &str = "of a certain form";
/// More than this, in bytes, nobody reads of a body's alternatives.
const LONGEST: usize = 400;

/// Requests of one kind. What is empty is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Match {
    pub methods: Vec<String>,
    pub domains: Vec<String>,
    /// `*` stands for a part of a segment, `**` for anything, `{a,b}` for either, `[a]` for a or nothing.
    pub paths: Vec<String>,
    /// What else is asked of them.
    pub conditions: Vec<String>,
}

/// The kinds of requests that `schema` matches.
pub fn matches(schema: &Value) -> Vec<Match> {
    if schema == &Value::Bool(false) {
        return Vec::new();
    }
    let all = elements(schema, "allOf").fold(vec![own(schema)], |kinds, part| {
        both(&kinds, &matches(part))
    });
    ["anyOf", "oneOf"].into_iter().fold(all, |kinds, key| {
        if schema.get(key).is_none() {
            return kinds;
        }
        let either: Vec<_> = elements(schema, key).flat_map(matches).collect();
        both(&kinds, &either)
    })
}

fn elements<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    let elements = schema.get(key).and_then(Value::as_array);
    elements.into_iter().flatten()
}

/// Requests that are of a kind of both lists.
fn both(some: &[Match], others: &[Match]) -> Vec<Match> {
    let mut all = some
        .iter()
        .flat_map(|one| others.iter().map(|other| one.and(other)));
    let mut kinds: Vec<_> = all.by_ref().take(MOST_KINDS).collect();
    if all.next().is_some() {
        kinds.push(Match {
            conditions: vec!["and more".to_owned()],
            ..Match::default()
        });
    }
    kinds
}

impl Match {
    fn and(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.methods = narrower(&self.methods, &other.methods);
        for (mine, theirs, what) in [
            (&mut joined.domains, &other.domains, "domain"),
            (&mut joined.paths, &other.paths, "path"),
        ] {
            if mine.is_empty() {
                mine.clone_from(theirs);
            } else if !theirs.is_empty() && mine != theirs {
                joined
                    .conditions
                    .push(format!("{what} also {}", theirs.join(" or ")));
            }
        }
        for condition in &other.conditions {
            if !joined.conditions.contains(condition) {
                joined.conditions.push(condition.clone());
            }
        }
        joined
    }
}

fn narrower(some: &[String], others: &[String]) -> Vec<String> {
    match (some, others) {
        ([], all) | (all, []) => all.to_vec(),
        (some, others) => some
            .iter()
            .filter(|one| others.contains(one))
            .cloned()
            .collect(),
    }
}

/// What the schema says outside its branches.
fn own(schema: &Value) -> Match {
    let nothing = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&nothing);
    let part = |name: &str| properties.get(name).map(values).unwrap_or_default();
    let mut conditions = Vec::new();
    if let Some(protocol) = properties.get("protocol").map(values)
        && protocol != ["https"]
    {
        conditions.push(format!("protocol {}", protocol.join(" or ")));
    }
    for (name, value) in properties {
        if !TOLD_APART.contains(&name.as_str()) {
            describe(&spoken(name), value, 0, &mut conditions);
        }
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        conditions.push(format!("what {reference} matches"));
    }
    let has_exceptions = ["not", "if"].iter().any(|key| schema.get(key).is_some())
        || TOLD_APART
            .iter()
            .filter_map(|name| properties.get(*name))
            .any(|value| value.get("not").is_some() || has_lookaround(value));
    if has_exceptions {
        conditions.push(EXCEPTIONS.to_owned());
    }
    Match {
        methods: part("method"),
        domains: part("domain"),
        paths: part("path"),
        conditions,
    }
}

fn has_lookaround(value: &Value) -> bool {
    let pattern = value.get("pattern").and_then(Value::as_str);
    pattern.is_some_and(|pattern| {
        ["(?!", "(?=", "(?<!", "(?<="]
            .iter()
            .any(|look| pattern.contains(look))
    })
}

/// The values that a string may have, as far as they are limited.
fn values(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some(only) = value.get("const") {
        return vec![text(only)];
    }
    if let Some(listed) = value.get("enum").and_then(Value::as_array) {
        return listed.iter().map(text).collect();
    }
    if let Some(pattern) = value.get("pattern").and_then(Value::as_str) {
        return vec![glob::of(pattern)];
    }
    ["anyOf", "oneOf"]
        .iter()
        .flat_map(|key| elements(value, key))
        .flat_map(values)
        .collect()
}

/// A part of a request as people call it.
fn spoken(name: &str) -> String {
    match name {
        "queryParams" => "query".to_owned(),
        "headers" => "header".to_owned(),
        "parsedBody" => "JSON body".to_owned(),
        "customMetadata" => "metadata".to_owned(),
        other => other.to_owned(),
    }
}

/// What is asked of a member of the request, and of the members in it. `name` is empty for what has been named already.
fn describe(name: &str, value: &Value, depth: usize, conditions: &mut Vec<String>) {
    let said = |what: &str| format!("{name} {what}").trim_start().to_owned();
    if value == &Value::Bool(false) {
        conditions.push(said("absent"));
        return;
    }
    let allowed = values(value);
    if !allowed.is_empty() {
        conditions.push(said(&allowed.join(" or ")));
        return;
    }
    let before = conditions.len();
    if depth < DEEPEST {
        let members = value.get("properties").and_then(Value::as_object);
        for (member, value) in members.into_iter().flatten() {
            describe(&said(member), value, depth + 1, conditions);
        }
        if let Some(each) = value.get("items").filter(|each| each.is_object()) {
            describe(&said("each"), each, depth + 1, conditions);
        }
        conditions.extend(either(value, depth).map(|told| said(&told)));
    }
    if value.get("maxProperties").and_then(Value::as_u64) == Some(0) {
        conditions.push(said("empty"));
    } else if value.get("not").is_some() {
        conditions.push(said(EXCEPTIONS));
    } else if conditions.len() == before && !says_little(value) {
        conditions.push(said(UNTOLD));
    }
}

/// The alternatives of a member, if they can be told in few words.
fn either(value: &Value, depth: usize) -> Option<String> {
    let alternatives: Vec<_> = ["anyOf", "oneOf"]
        .iter()
        .flat_map(|key| elements(value, key))
        .map(|alternative| {
            let mut conditions = Vec::new();
            describe("", alternative, depth + 1, &mut conditions);
            conditions.join(" and ")
        })
        .collect();
    let told = alternatives.join(", or ");
    let is_short =
        !told.is_empty() && told.len() <= LONGEST && !alternatives.contains(&String::new());
    is_short.then_some(told)
}

/// Whether a schema only says of which type a value is, or that there is one.
fn says_little(value: &Value) -> bool {
    const LITTLE: [&str; 5] = [
        "type",
        "required",
        "minLength",
        "$comment",
        "additionalProperties",
    ];
    value.as_object().is_none_or(|keywords| {
        keywords
            .keys()
            .all(|keyword| LITTLE.contains(&keyword.as_str()))
    })
}

//! One permissions file, read strictly: what is not understood is refused, never skipped.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::CheckError;

/// What a file itself says, before its includes are looked at.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Config {
    pub(super) include: Vec<String>,
    /// `patterns`, overridden by `schemas`.
    pub(super) schemas: Map<String, Value>,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) scope: String,
    /// Run in order before the permissions are looked at.
    pub(super) hooks: Vec<String>,
    pub(super) permissions: Permissions,
}

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Permissions {
    /// What matches one of these schemas.
    AnyOf(Vec<String>),
    /// Whatever its hooks let through.
    Unrestricted,
}

/// What is wrong, and where.
struct Problem {
    place: String,
    problem: String,
}

fn wrong<T>(place: impl Into<String>, problem: impl Into<String>) -> Result<T, Problem> {
    Err(Problem {
        place: place.into(),
        problem: problem.into(),
    })
}

/// Reads the content of the file at `path`; the path is for messages only.
pub(super) fn parse(path: &Path, content: &[u8]) -> Result<Config, CheckError> {
    let value = serde_json::from_str(&String::from_utf8_lossy(content)).map_err(|error| {
        CheckError::NotJson {
            path: path.to_owned(),
            problem: error.to_string(),
        }
    })?;
    read(value).map_err(|Problem { place, problem }| CheckError::Malformed {
        path: path.to_owned(),
        place,
        problem,
    })
}

fn read(value: Value) -> Result<Config, Problem> {
    let Value::Object(mut members) = value else {
        return wrong("#", "must be an object");
    };
    let mut config = Config::default();
    if let Some(include) = members.swap_remove("include") {
        config.include = strings(include, "#/include")?;
    }
    for key in ["patterns", "schemas"] {
        if let Some(schemas) = members.swap_remove(key) {
            config.schemas.extend(read_schemas(schemas, key)?);
        }
    }
    if let Some(rules) = members.swap_remove("rules") {
        let Value::Array(rules) = rules else {
            return wrong("#/rules", "must be a list");
        };
        for (index, rule) in rules.into_iter().enumerate() {
            config
                .rules
                .push(read_rule(rule, &format!("#/rules/{index}"))?);
        }
    }
    match members.keys().next() {
        Some(key) => wrong(
            "#",
            format!("has the unknown key {key:?}; known are include, schemas, patterns and rules"),
        ),
        None => Ok(config),
    }
}

fn read_schemas(schemas: Value, key: &str) -> Result<Map<String, Value>, Problem> {
    let Value::Object(schemas) = schemas else {
        return wrong(format!("#/{key}"), "must be an object");
    };
    match schemas.iter().find(|(_, schema)| !schema.is_object()) {
        Some((name, _)) => wrong(format!("#/{key}/{name}"), "must be an object"),
        None => Ok(schemas),
    }
}

fn read_rule(rule: Value, place: &str) -> Result<Rule, Problem> {
    let Value::Object(rule) = rule else {
        return wrong(place, "must be an object");
    };
    let count = rule.len();
    let mut entries = rule.into_iter();
    let (Some((scope, body)), None) = (entries.next(), entries.next()) else {
        return wrong(
            place,
            format!("must have exactly one key, the scope; it has {count}"),
        );
    };
    let place = format!("{place}/{scope}");
    let (hooks, permissions) = match body {
        Value::Array(_) => (Vec::new(), Permissions::AnyOf(strings(body, &place)?)),
        Value::Object(body) => read_gates(body, &place)?,
        _ => {
            return wrong(
                place,
                "must be a list of schema names, or an object with schemas or hooks",
            );
        }
    };
    Ok(Rule {
        scope,
        hooks,
        permissions,
    })
}

fn read_gates(
    mut body: Map<String, Value>,
    place: &str,
) -> Result<(Vec<String>, Permissions), Problem> {
    if body.is_empty() {
        return wrong(place, "must have at least one of schemas and hooks");
    }
    let mut list = |key: &str| {
        body.swap_remove(key).map_or(Ok(Vec::new()), |value| {
            strings(value, &format!("{place}/{key}"))
        })
    };
    let (schemas, hooks) = (list("schemas")?, list("hooks")?);
    if let Some(key) = body.keys().next() {
        return wrong(
            place,
            format!("has the unknown key {key:?}; known are schemas and hooks"),
        );
    }
    let permissions = if schemas.is_empty() {
        Permissions::Unrestricted
    } else {
        Permissions::AnyOf(schemas)
    };
    Ok((hooks, permissions))
}

fn strings(value: Value, place: &str) -> Result<Vec<String>, Problem> {
    let Value::Array(items) = value else {
        return wrong(place, "must be a list of strings");
    };
    let mut strings = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::String(text) => strings.push(text),
            _ => return wrong(format!("{place}/{index}"), "must be a string"),
        }
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let names = "(include|schemas|patterns|rules|hooks|any|x)";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i8>().prop_map(Value::from),
            names.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names, inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Path::new("file"), &content);
        }

        #[test]
        fn no_json_panics(value in json()) {
            let _ = parse(Path::new("file"), value.to_string().as_bytes());
        }

        #[test]
        fn no_schema_panics(schema in json()) {
            let file = serde_json::json!({"schemas": {"x": {"allOf": [schema]}}, "rules": [{"any": ["x"]}]});
            let engine = crate::permissions::Engine::new(crate::permissions::BuiltinSchemas::standard());
            let _ = engine.check(Path::new("/file"), file.to_string().as_bytes());
        }
    }
}

//! Taking grants out of a permissions file. What is left never allows more than before.
//!
//! A rule whose last permission goes, goes with it, if that is safe. It is not where a rule further down could decide the same
//! requests instead, and perhaps allow them: there the rule stays with an empty list, which denies. Two scopes decide different
//! requests for certain when each says plainly to which domains it is limited, and they have none in common. A rule without
//! permissions stays as it is, for it is there to deny. An object without permissions would allow whatever its hooks do, so it never comes of this.

use permission_grants::{Access, Members, SharedPath, SharingName};
use serde_json::{Value, json};

use super::{Refusal, Remark};
use crate::permissions::BuiltinSchemas;

/// The scope of what is shared.
const GATEWAY_SCOPE: &str = "latchkey-self";

/// What becomes of a rule.
enum Fate {
    Stays,
    /// It gets this body.
    Shrinks(Value),
    /// It grants nothing any more.
    Empties,
}

/// Removes every rule of `scope` that grants anything.
pub(super) fn scope(
    config: &mut Members,
    scope: &str,
    builtin: &BuiltinSchemas,
) -> Result<Vec<Remark>, Refusal> {
    let mut remarks = Vec::new();
    let more = each_rule(config, scope, builtin, |body| match body {
        Value::Array(names) if names.is_empty() => {
            remarks.push(Remark::DeniesAlready(scope.to_owned()));
            Ok(Fate::Stays)
        }
        body => {
            if has_hooks(body) {
                remarks.push(Remark::HooksGone(scope.to_owned()));
            }
            Ok(Fate::Empties)
        }
    })?;
    remarks.extend(more);
    Ok(remarks)
}

/// Removes `names` from every rule of `scope`.
pub(super) fn permissions(
    config: &mut Members,
    scope: &str,
    names: &[String],
    builtin: &BuiltinSchemas,
) -> Result<Vec<Remark>, Refusal> {
    let is_kept = |name: &Value| !names.iter().any(|gone| name.as_str() == Some(gone));
    each_rule(config, scope, builtin, |body| {
        let listed = match body {
            Value::Array(listed) => listed,
            Value::Object(members) => match members.get("schemas") {
                // Its hooks alone decide; it lists nothing that could be taken away.
                None => return Ok(Fate::Stays),
                Some(schemas) => schemas.as_array().ok_or_else(|| misshapen(scope))?,
            },
            _ => return Err(misshapen(scope)),
        };
        let left: Vec<Value> = listed
            .iter()
            .filter(|name| is_kept(name))
            .cloned()
            .collect();
        if left.len() == listed.len() {
            return Ok(Fate::Stays);
        }
        if left.is_empty() {
            return match has_hooks(body) {
                true => Err(Refusal::OnlyHooksLeft(scope.to_owned())),
                false => Ok(Fate::Empties),
            };
        }
        let mut body = body.clone();
        match &mut body {
            Value::Object(members) => {
                members.insert("schemas".to_owned(), left.into());
            }
            body => *body = left.into(),
        }
        Ok(Fate::Shrinks(body))
    })
}

/// Takes back what sharing `path` added, the definitions too.
pub(super) fn share(
    config: &mut Members,
    path: &SharedPath,
    access: Option<Access>,
    builtin: &BuiltinSchemas,
) -> Result<Vec<Remark>, Refusal> {
    let path = path.given().trim_end_matches('/');
    let is_meant = |name: &str| {
        SharingName::parse(name).is_some_and(|sharing| {
            sharing.path == path && access.is_none_or(|access| access == sharing.access)
        })
    };
    let names: Vec<String> = bodies(config, GATEWAY_SCOPE)
        .flat_map(names_of)
        .filter(|name| is_meant(name))
        .map(str::to_owned)
        .collect();
    let remarks = permissions(config, GATEWAY_SCOPE, &names, builtin)?;
    for name in names {
        if !is_used(config, &name)
            && let Some(schemas) = config.get_mut("schemas").and_then(Value::as_object_mut)
        {
            schemas.shift_remove(&name);
        }
    }
    Ok(remarks)
}

/// Whether the first rule of `scope` asks for no permission.
pub(super) fn is_of_hooks_alone(config: &Members, scope: &str) -> bool {
    bodies(config, scope)
        .next()
        .is_some_and(|body| body.is_object() && names_of(body).next().is_none())
}

/// Lets `fate` decide on each rule of `scope`, the last one first: what stays further down is known then.
fn each_rule(
    config: &mut Members,
    scope: &str,
    builtin: &BuiltinSchemas,
    mut fate: impl FnMut(&Value) -> Result<Fate, Refusal>,
) -> Result<Vec<Remark>, Refusal> {
    let mut remarks = Vec::new();
    let mut rules = match config.get("rules") {
        None => return Ok(remarks),
        Some(Value::Array(rules)) => rules.clone(),
        Some(_) => return Err(Refusal::Shape(permission_grants::Unmergeable::Rules)),
    };
    for index in (0..rules.len()).rev() {
        let Some(body) = rules.get(index).and_then(|rule| body_of(rule, scope)) else {
            continue;
        };
        let replacement = match fate(body)? {
            Fate::Stays => continue,
            Fate::Shrinks(body) => Some(body),
            Fate::Empties => {
                let below = rules.get(index + 1..).unwrap_or_default();
                let is_safe = below
                    .iter()
                    .all(|rule| is_apart(config, builtin, scope, rule));
                (!is_safe).then(|| {
                    remarks.push(Remark::StaysEmpty(scope.to_owned()));
                    json!([])
                })
            }
        };
        match (replacement, rules.get_mut(index)) {
            (Some(body), Some(rule)) => *rule = json!({ scope: body }),
            _ => drop(rules.remove(index)),
        }
    }
    config.insert("rules".to_owned(), rules.into());
    Ok(remarks)
}

/// Whether `rule` for certain decides no request that one for `scope` would decide.
fn is_apart(config: &Members, builtin: &BuiltinSchemas, scope: &str, rule: &Value) -> bool {
    let domains_of = |scope| domains(definition(config, builtin, scope)?);
    let other = rule.as_object().and_then(|rule| rule.keys().next());
    match (domains_of(scope), other.and_then(|other| domains_of(other))) {
        (Some(one), Some(other)) => !one.iter().any(|domain| other.contains(domain)),
        _ => false,
    }
}

/// What a scope stands for, where that can be told without other files.
fn definition<'a>(
    config: &'a Members,
    builtin: &'a BuiltinSchemas,
    name: &str,
) -> Option<&'a Value> {
    let own = ["schemas", "patterns"]
        .into_iter()
        .find_map(|key| config.get(key)?.get(name));
    // An included file may define it, too.
    own.or_else(|| match config.contains_key("include") {
        true => None,
        false => builtin.get(name),
    })
}

/// The domains that a schema is limited to, if it says so plainly.
fn domains(schema: &Value) -> Option<Vec<&str>> {
    if let Some(domain) = schema.pointer("/properties/domain") {
        return match (domain.get("const"), domain.get("enum")) {
            (Some(domain), _) => Some(domain.as_str().into_iter().collect()),
            (None, Some(domains)) => Some(
                domains
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_str)
                    .collect(),
            ),
            (None, None) => None,
        };
    }
    let branches = schema.get("anyOf")?.as_array()?;
    let domains = branches.iter().map(domains).collect::<Option<Vec<_>>>()?;
    Some(domains.concat())
}

/// Whether a name is still listed somewhere, or may be referred to.
fn is_used(config: &Members, name: &str) -> bool {
    let rules = config.get("rules").and_then(Value::as_array);
    let mut bodies = rules
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|rule| rule.values());
    bodies.any(|body| names_of(body).any(|listed| listed == name))
        || config.get("schemas").is_some_and(has_references)
}

fn has_references(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.contains_key("$ref") || members.values().any(has_references)
        }
        Value::Array(elements) => elements.iter().any(has_references),
        _ => false,
    }
}

fn bodies<'a>(config: &'a Members, scope: &'a str) -> impl Iterator<Item = &'a Value> {
    let rules = config.get("rules").and_then(Value::as_array);
    rules
        .into_iter()
        .flatten()
        .filter_map(move |rule| body_of(rule, scope))
}

/// The body of the rule, if `scope` is its only key.
fn body_of<'a>(rule: &'a Value, scope: &str) -> Option<&'a Value> {
    let members = rule.as_object().filter(|members| members.len() == 1)?;
    members.get(scope)
}

/// The permissions that a body lists.
fn names_of(body: &Value) -> impl Iterator<Item = &str> {
    let listed = body.get("schemas").unwrap_or(body).as_array();
    listed.into_iter().flatten().filter_map(Value::as_str)
}

fn has_hooks(body: &Value) -> bool {
    let hooks = body.get("hooks").and_then(Value::as_array);
    hooks.is_some_and(|hooks| !hooks.is_empty())
}

fn misshapen(scope: &str) -> Refusal {
    Refusal::Shape(permission_grants::Unmergeable::Rule(scope.to_owned()))
}

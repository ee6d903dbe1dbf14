//! What rules can come to: scopes that nothing reaches, and permissions that grant nothing under their scope.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;
use url::Url;

use super::policy::Policy;
use super::shape::{Reader, Shape};
use super::{Code, Finding};
use crate::permissions::config::Permissions;
use crate::permissions::include::PlacedRule;
use crate::permissions::request::Request;
use crate::permissions::schema::{Compiler, Fault, Registry};

pub(super) fn look(policy: &Policy, registry: &Registry<'_>, findings: &mut Vec<Finding>) {
    let usable = look_at_schemas(policy, registry, findings);
    let reader = Reader::new(registry);
    let mut earlier: Vec<Scope<'_>> = Vec::new();
    for placed in policy.rules() {
        let scope = placed.rule.scope.as_str();
        if !usable.contains(scope) {
            continue;
        }
        let shape = reader.shape(scope);
        if shape.is_empty() {
            findings.push(matches_nothing(placed, registry.get(scope)));
            continue;
        }
        let scope = Scope {
            placed,
            schema: registry.get(scope),
            shape,
        };
        match scope.taken_by(&earlier) {
            takers if takers.is_empty() => {
                look_at_permissions(policy, &reader, &usable, &scope, findings);
                earlier.push(scope);
            }
            takers => findings.push(unreachable(placed, &takers)),
        }
    }
}

/// A rule that requests may come to.
struct Scope<'a> {
    placed: &'a PlacedRule,
    schema: Option<&'a Value>,
    shape: Rc<Shape>,
}

impl<'a> Scope<'a> {
    /// The earlier rules that take every request which this one could; none where they need not.
    fn taken_by(&self, earlier: &[Self]) -> Vec<&'a PlacedRule> {
        let alone = earlier.iter().find(|other| {
            other.placed.rule.scope == self.placed.rule.scope
                || other.schema.is_some() && other.schema == self.schema
                || self.shape.is_covered_by(&[&*other.shape])
        });
        if let Some(alone) = alone {
            return vec![alone.placed];
        }
        if !self.shape.is_divisible() {
            return Vec::new();
        }
        let near: Vec<_> = earlier
            .iter()
            .filter(|other| !self.shape.is_disjoint(&other.shape))
            .collect();
        let shapes: Vec<&Shape> = near.iter().map(|other| &*other.shape).collect();
        if near.len() > 1 && self.shape.is_covered_by(&shapes) {
            near.iter().map(|other| other.placed).collect()
        } else {
            Vec::new()
        }
    }
}

/// The names that can be evaluated. Those that cannot are found.
fn look_at_schemas<'a>(
    policy: &'a Policy,
    registry: &Registry<'_>,
    findings: &mut Vec<Finding>,
) -> HashSet<&'a str> {
    let mut usable = HashSet::new();
    let mut seen = HashSet::new();
    for placed in policy.rules() {
        let permissions = match &placed.rule.permissions {
            Permissions::AnyOf(permissions) => permissions.as_slice(),
            Permissions::Unrestricted => &[],
        };
        for name in std::iter::once(&placed.rule.scope).chain(permissions) {
            if !seen.insert(name.as_str()) || registry.get(name).is_none() {
                continue;
            }
            match fault_of(name, registry) {
                None => {
                    usable.insert(name.as_str());
                }
                Some(fault) => findings.push(Policy::about_rule(
                    placed,
                    Code::UnusableSchema,
                    format!(
                        "the schema {} cannot be evaluated: {}",
                        fault.schema, fault.detail
                    ),
                    "correct the schema: a request that comes to it is denied with an error",
                )),
            }
        }
    }
    usable
}

/// What keeps the schema of a name from being evaluated, at least for the plainest of requests: that shows references
/// which run in circles.
fn fault_of(name: &str, registry: &Registry<'_>) -> Option<Fault> {
    let mut compiler = Compiler::new(registry);
    let id = match compiler.named(name) {
        Ok(id) => id?,
        Err(fault) => return Some(fault),
    };
    let schemas = compiler.finish();
    if let Some(fault) = schemas.first_fault() {
        return Some(fault.clone());
    }
    let url = Url::parse("https://host.invalid/").ok()?;
    let request = Request::new("GET", &url, std::iter::empty(), None, None);
    schemas.matches(id, request.as_value()).err()
}

fn look_at_permissions(
    policy: &Policy,
    reader: &Reader<'_>,
    usable: &HashSet<&str>,
    scope: &Scope<'_>,
    findings: &mut Vec<Finding>,
) {
    let placed = scope.placed;
    let Permissions::AnyOf(permissions) = &placed.rule.permissions else {
        return;
    };
    for (position, name) in permissions.iter().enumerate() {
        if !usable.contains(name.as_str()) {
            continue;
        }
        let shape = reader.shape(name);
        let (message, advice) = if shape.is_empty() {
            (
                format!("the permission {name} matches no request at all"),
                "correct its schema, or remove it from the rule",
            )
        } else if shape.is_disjoint(&scope.shape) {
            (
                format!(
                    "the permission {name} grants nothing here: no request matches both it and the scope {}",
                    placed.rule.scope
                ),
                "list it under the scope that it belongs to",
            )
        } else {
            continue;
        };
        findings.push(policy.about_permission(
            placed,
            position,
            Code::GrantsNothing,
            message,
            advice,
        ));
    }
}

fn matches_nothing(placed: &PlacedRule, schema: Option<&Value>) -> Finding {
    let scope = &placed.rule.scope;
    let (message, advice) = if schema == Some(&Value::Bool(false)) {
        (
            format!("the scope {scope} is known by name alone and matches no request"),
            "define a schema of that name under \"schemas\"",
        )
    } else {
        (
            format!("the scope {scope} matches no request, so the rule never decides"),
            "correct its schema, or remove the rule",
        )
    };
    Policy::about_rule(placed, Code::ScopeMatchesNothing, message, advice)
}

fn unreachable(placed: &PlacedRule, takers: &[&PlacedRule]) -> Finding {
    let named = takers.iter().map(|taker| {
        let file = if taker.path == placed.path {
            String::new()
        } else {
            format!(" of {}", taker.path.display())
        };
        format!("rule {}{file} ({})", taker.index, taker.rule.scope)
    });
    let named: Vec<_> = named.collect();
    let verb = if takers.len() == 1 { "takes" } else { "take" };
    Policy::about_rule(
        placed,
        Code::UnreachableRule,
        format!(
            "never decides: {} {verb} every request that the scope {} matches",
            named.join(" and "),
            placed.rule.scope
        ),
        "move it before them, merge it into them, or remove it: the first rule whose scope matches decides",
    )
}

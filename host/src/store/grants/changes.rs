//! What an edit changes of the grants of a permissions file. Of two rules with one scope only the first ever decides; here they
//! count as one, so that no grant is overlooked. What is no rule is left out.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happens to a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It was not there.
    Grant,
    /// It is there no more.
    Revoke,
    /// It was there, and what it lets through is defined anew.
    Replace,
}

/// One thing that an edit does to the permissions of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub action: Action,
    pub scope: String,
    /// In the order of the file. Empty when it is about a rule that lists none.
    pub permissions: Vec<String>,
}

impl Change {
    /// Scope and permission of each grant that it is about; no permission for a rule that lists none.
    pub(super) fn grants(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let named = self.permissions.iter().cloned().map(Some);
        let rule = self.permissions.is_empty().then_some(None);
        named.chain(rule).map(|name| (self.scope.clone(), name))
    }
}

/// Everything that an edit from `before` to `after` does, in the order of the rules: first what it grants.
pub fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let (old, new) = (Rules::of(before), Rules::of(after));
    let is_redefined = |name: &str| definition(before, name) != definition(after, name);
    let mut changes = Vec::new();
    let mut change = |action, scope: &str, permissions: Vec<&str>| {
        changes.push(Change {
            action,
            scope: scope.to_owned(),
            permissions: permissions.into_iter().map(str::to_owned).collect(),
        });
    };
    for &scope in &new.scopes {
        let added = new.permissions(scope).filter(|name| !old.has(scope, name));
        let added: Vec<_> = added.collect();
        let is_new_and_empty = !old.has_scope(scope) && new.permissions(scope).next().is_none();
        if !added.is_empty() || is_new_and_empty {
            change(Action::Grant, scope, added);
        }
        let kept = new.permissions(scope).filter(|name| old.has(scope, name));
        let redefined: Vec<_> = kept.filter(|name| is_redefined(name)).collect();
        if !redefined.is_empty() {
            change(Action::Replace, scope, redefined);
        }
    }
    for &scope in &old.scopes {
        let removed = old.permissions(scope).filter(|name| !new.has(scope, name));
        let removed: Vec<_> = removed.collect();
        let was_empty_and_is_gone =
            !new.has_scope(scope) && old.permissions(scope).next().is_none();
        if !removed.is_empty() || was_empty_and_is_gone {
            change(Action::Revoke, scope, removed);
        }
    }
    changes
}

/// The rules of a file, by scope.
#[derive(Default)]
struct Rules<'a> {
    /// Each once, in order.
    scopes: Vec<&'a str>,
    listed: HashMap<&'a str, Listed<'a>>,
}

#[derive(Default)]
struct Listed<'a> {
    /// Each once, in order.
    names: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Rules<'a> {
    fn of(config: &'a Map<String, Value>) -> Self {
        let mut this = Self::default();
        let rules = config.get("rules").and_then(Value::as_array);
        for (scope, body) in rules.into_iter().flatten().filter_map(only_member) {
            let Some(names) = names(body) else {
                continue;
            };
            let listed = this.listed.entry(scope).or_insert_with(|| {
                this.scopes.push(scope);
                Listed::default()
            });
            for name in names.iter().filter_map(Value::as_str) {
                if listed.set.insert(name) {
                    listed.names.push(name);
                }
            }
        }
        this
    }

    fn has_scope(&self, scope: &str) -> bool {
        self.listed.contains_key(scope)
    }

    fn has(&self, scope: &str, permission: &str) -> bool {
        self.listed
            .get(scope)
            .is_some_and(|listed| listed.set.contains(permission))
    }

    fn permissions(&self, scope: &str) -> impl Iterator<Item = &'a str> {
        let listed = self.listed.get(scope);
        listed
            .into_iter()
            .flat_map(|listed| listed.names.iter().copied())
    }
}

fn only_member(rule: &Value) -> Option<(&str, &Value)> {
    let mut members = rule.as_object()?.iter();
    let (scope, body) = members.next()?;
    members.next().is_none().then_some((scope, body))
}

/// The permissions that a rule lists.
fn names(body: &Value) -> Option<&[Value]> {
    match body {
        Value::Array(names) => Some(names),
        Value::Object(members) => match members.get("schemas") {
            Some(names) => names.as_array().map(Vec::as_slice),
            None => Some(&[]),
        },
        _ => None,
    }
}

/// What the file itself says that a name stands for.
fn definition<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let defined = |key| {
        config
            .get(key)
            .and_then(|schemas: &Value| schemas.get(name))
    };
    defined("schemas").or_else(|| defined("patterns"))
}

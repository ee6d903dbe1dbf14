//! The keywords for objects.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::evaluate::Evaluated;
use super::super::node::ObjectKeywords;
use super::super::origins::below;
use super::Mismatch;
use super::walk::{Here, Part, Walk};

impl Walk<'_> {
    pub(super) fn object(
        &mut self,
        node: &ObjectKeywords,
        here: &Here<'_, '_>,
        members: &Map<String, Value>,
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let count = members.len() as f64;
        let mut reasons = self.missing(here, "required", &node.required, members);
        for (keyword, broken) in [
            (
                "minProperties",
                node.min_properties.is_some_and(|min| count < min),
            ),
            (
                "maxProperties",
                node.max_properties.is_some_and(|max| count > max),
            ),
        ] {
            if broken {
                let mut reason = self.reason(here, keyword);
                reason.actual = Some(members.len().into());
                reasons.push(reason);
            }
        }
        if let Some(names) = node.property_names {
            for name in members.keys() {
                let text = Value::String(name.clone());
                if self.schemas.matches(names, &text) == Ok(false) {
                    let mut reason = self.reason(here, "propertyNames");
                    reason.actual = Some(text);
                    reasons.push(reason);
                }
            }
        }
        for (name, required) in &node.dependent_required {
            if members.contains_key(name) {
                let keyword = self.which(here, ["dependentRequired", "dependencies"], name);
                let missing = self.missing(here, keyword, required, members);
                reasons.extend(missing.into_iter().map(|reason| Mismatch {
                    place: below(&reason.place, name),
                    ..reason
                }));
            }
        }
        for (name, schema) in &node.dependent_schemas {
            if members.contains_key(name) {
                reasons.extend(self.in_place(*schema, here.part, evaluated));
            }
        }
        reasons.extend(self.members(node, here.part, members, evaluated));
        reasons
    }

    /// A reason for each of the names that the object does not have.
    fn missing(
        &self,
        here: &Here<'_, '_>,
        keyword: &'static str,
        names: &[String],
        members: &Map<String, Value>,
    ) -> Vec<Mismatch> {
        let missing = names.iter().filter(|name| !members.contains_key(*name));
        missing
            .map(|name| Mismatch {
                expected: name.as_str().into(),
                actual: None,
                ..self.reason(here, keyword)
            })
            .collect()
    }

    /// The one of two keywords that says something of `name`.
    fn which(&self, here: &Here<'_, '_>, keywords: [&'static str; 2], name: &str) -> &'static str {
        let [first, second] = keywords;
        let says = self.source(here, first).and_then(|names| names.get(name));
        if says.is_some() { first } else { second }
    }

    /// The keywords about single properties. Those without a name of their own count only where the others are fulfilled.
    fn members(
        &mut self,
        node: &ObjectKeywords,
        part: Part<'_>,
        members: &Map<String, Value>,
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let mut covered = HashSet::new();
        let mut reasons = Vec::new();
        for (name, schema) in &node.properties {
            if let Some(value) = members.get(name) {
                reasons.extend(self.member(*schema, part, name, value));
                covered.insert(name.as_str());
            }
        }
        for (pattern, schema) in &node.pattern_properties {
            let Ok(pattern) = pattern else {
                continue;
            };
            for (name, value) in members {
                if pattern.is_match(name) == Ok(true) {
                    reasons.extend(self.member(*schema, part, name, value));
                    covered.insert(name.as_str());
                }
            }
        }
        if !reasons.is_empty() {
            return reasons;
        }
        evaluated
            .own
            .extend(covered.iter().map(|name| (*name).to_owned()));
        let Some(schema) = node.additional.or(node.unevaluated) else {
            return reasons;
        };
        let is_left = |name: &str| match node.additional {
            Some(_) => !covered.contains(name),
            None => !evaluated.contains(name),
        };
        let left: Vec<_> = members.iter().filter(|(name, _)| is_left(name)).collect();
        for (name, value) in left {
            let found = self.member(schema, part, name, value);
            if found.is_empty() {
                evaluated.own.insert(name.clone());
            }
            reasons.extend(found);
        }
        reasons
    }
}

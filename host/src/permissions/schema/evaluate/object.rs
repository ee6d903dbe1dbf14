//! The keywords for objects.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::Fault;
use super::super::node::ObjectKeywords;
use super::{Evaluated, Evaluation};

impl Evaluation<'_> {
    pub(super) fn object(
        &mut self,
        node: &ObjectKeywords,
        members: &Map<String, Value>,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let count = members.len() as f64;
        let has_all = |names: &[String]| names.iter().all(|name| members.contains_key(name));
        let mut valid = has_all(&node.required)
            && !node.min_properties.is_some_and(|min| count < min)
            && !node.max_properties.is_some_and(|max| count > max);
        if !valid && !self.thorough {
            return Ok(false);
        }
        if let Some(names) = node.property_names {
            for name in members.keys() {
                valid &= self.part(names, &Value::String(name.clone()))?;
            }
        }
        for (name, required) in &node.dependent_required {
            valid &= !members.contains_key(name) || has_all(required);
        }
        let whole = (!node.dependent_schemas.is_empty()).then(|| Value::Object(members.clone()));
        for (name, schema) in &node.dependent_schemas {
            if let Some(whole) = whole.as_ref().filter(|_| members.contains_key(name)) {
                valid &= self.matches(*schema, whole, evaluated)?;
            }
        }
        Ok(self.members(node, members, evaluated)? && valid)
    }

    /// The keywords about single properties. The first property that does not match decides.
    fn members(
        &mut self,
        node: &ObjectKeywords,
        members: &Map<String, Value>,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let mut covered = HashSet::new();
        for (name, schema) in &node.properties {
            let Some(value) = members.get(name) else {
                continue;
            };
            if !self.part(*schema, value)? {
                return Ok(false);
            }
            covered.insert(name.as_str());
        }
        let mut valid = true;
        for (pattern, schema) in &node.pattern_properties {
            let pattern = pattern.as_ref().map_err(Fault::clone)?;
            for (name, value) in members {
                if !self.occurs(pattern, name)? {
                    continue;
                }
                if self.part(*schema, value)? {
                    covered.insert(name.as_str());
                } else {
                    valid = false;
                }
            }
        }
        if !valid {
            return Ok(false);
        }
        if self.schemas.tracks_evaluated {
            evaluated
                .own
                .extend(covered.iter().map(|name| (*name).to_owned()));
        }
        let Some(schema) = node.additional.or(node.unevaluated) else {
            return Ok(true);
        };
        let is_left = |name: &str| match node.additional {
            Some(_) => !covered.contains(name),
            None => !evaluated.contains(name),
        };
        let left: Vec<_> = members.iter().filter(|(name, _)| is_left(name)).collect();
        for (name, value) in left {
            if self.part(schema, value)? {
                self.note(evaluated, name);
            } else {
                valid = false;
            }
        }
        Ok(valid)
    }
}

//! Whether a value matches a schema.

mod array;
mod object;
mod scalar;

use std::collections::HashSet;

use serde_json::Value;

use super::Fault;
use super::node::{Keywords, Node, NodeId, OwnedPattern, Schemas};
pub(super) use scalar::{canonical, equal, is_multiple, is_type};
use scalar::{text_matches, within};

/// Far beyond what a schema for a request needs; what passes it is a reference that runs in circles.
pub(super) const MAX_DEPTH: u32 = 256;
pub(super) const MAX_STEPS: u32 = 200_000;
/// How many steps of a pattern, or names copied, cost as much as a step of the evaluation.
const SMALL_STEPS: u32 = 64;

/// What of an object or a list has been evaluated, for `unevaluatedProperties` and `unevaluatedItems`.
#[derive(Clone, Default)]
pub(super) struct Evaluated {
    pub(super) own: HashSet<String>,
    /// What the enclosing schema had evaluated before.
    inherited: HashSet<String>,
}

impl Evaluated {
    pub(super) fn below(parent: &Self) -> Self {
        Self {
            own: HashSet::new(),
            inherited: parent.own.union(&parent.inherited).cloned().collect(),
        }
    }

    fn size(&self) -> u32 {
        let size = self.own.len() + self.inherited.len();
        u32::try_from(size).unwrap_or(u32::MAX)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.own.contains(key) || self.inherited.contains(key)
    }
}

impl Schemas {
    /// Whether `instance` matches the schema at `id`.
    pub(in crate::permissions) fn matches(
        &self,
        id: NodeId,
        instance: &Value,
    ) -> Result<bool, Fault> {
        self.matches_after(id, instance, &mut Evaluated::default())
    }

    /// The same where `evaluated` has been evaluated before, which takes up what is evaluated now.
    pub(super) fn matches_after(
        &self,
        id: NodeId,
        instance: &Value,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let mut evaluation = Evaluation {
            schemas: self,
            thorough: self.tracks_evaluated || !self.bounds.is_certain(id),
            depth: 0,
            steps: 0,
        };
        evaluation.matches(id, instance, evaluated)
    }
}

struct Evaluation<'a> {
    schemas: &'a Schemas,
    /// Whether every branch is looked at although the answer is already known.
    thorough: bool,
    depth: u32,
    steps: u32,
}

/// What the branches of a combination have answered so far.
#[derive(Default)]
struct Count {
    matched: usize,
    missed: usize,
}

impl Evaluation<'_> {
    fn matches(
        &mut self,
        id: NodeId,
        instance: &Value,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let keywords = match self.schemas.nodes.get(id.0) {
            Some(Node::Constant(answer)) => return Ok(*answer),
            Some(Node::Keywords(keywords)) => keywords,
            Some(Node::Broken(fault)) => return Err(fault.clone()),
            None => return Ok(false),
        };
        self.steps += 1;
        if self.depth >= MAX_DEPTH || self.steps > MAX_STEPS {
            return Err(Fault {
                schema: keywords.owner.to_string(),
                detail: "evaluation takes too long: references run in circles, or the request is too large".to_owned(),
            });
        }
        self.depth += 1;
        let answer = self.keywords(keywords, instance, evaluated);
        self.depth -= 1;
        answer
    }

    /// A part of the instance, about which nothing has been evaluated.
    fn part(&mut self, id: NodeId, instance: &Value) -> Result<bool, Fault> {
        self.matches(id, instance, &mut Evaluated::default())
    }

    fn keywords(
        &mut self,
        node: &Keywords,
        instance: &Value,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        raise(node.faults.any.as_ref())?;
        let mut valid = true;
        if let Some(reference) = node.reference {
            valid &= self.matches(reference, instance, evaluated)?;
        }
        if let Some(types) = &node.types {
            valid &= types.iter().any(|expected| is_type(instance, *expected));
        }
        if let Some(constant) = &node.constant {
            valid &= equal(instance, constant);
        }
        if let Some(values) = &node.one_of_values {
            valid &= values.iter().any(|value| equal(instance, value));
        }
        if !valid && !self.thorough {
            return Ok(false);
        }
        if let Some(not) = node.not {
            valid &= !self.part(not, instance)?;
        }
        valid &= self.combinations(node, instance, evaluated)?;
        if !valid && !self.thorough {
            return Ok(false);
        }
        if let Some(condition) = &node.condition {
            let branch = if self.matches(condition.test, instance, evaluated)? {
                condition.then
            } else {
                condition.otherwise
            };
            if let Some(branch) = branch {
                valid &= self.matches(branch, instance, evaluated)?;
            }
        }
        Ok(self.keywords_of_kind(node, instance, evaluated)? && valid)
    }

    /// The keywords that mean something for one kind of value only.
    fn keywords_of_kind(
        &mut self,
        node: &Keywords,
        instance: &Value,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        match instance {
            Value::Object(members) => {
                raise(node.faults.object.as_ref())?;
                match &node.object {
                    Some(object) => self.object(object, members, evaluated),
                    None => Ok(true),
                }
            }
            Value::Array(items) => {
                raise(node.faults.array.as_ref())?;
                match &node.array {
                    Some(array) => self.array(array, items, evaluated),
                    None => Ok(true),
                }
            }
            Value::Number(value) => Ok(node
                .number
                .as_ref()
                .is_none_or(|number| within(number, value))),
            Value::String(text) => {
                raise(node.faults.string.as_ref())?;
                match &node.string {
                    Some(string) => {
                        text_matches(string, text, |pattern| self.occurs(pattern, text))
                    }
                    None => Ok(true),
                }
            }
            Value::Null | Value::Bool(_) => Ok(true),
        }
    }

    /// `anyOf`, `allOf` and `oneOf`. What a matching branch evaluated counts for the whole, once all of them are done.
    fn combinations(
        &mut self,
        node: &Keywords,
        instance: &Value,
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let mut gathered = HashSet::new();
        let mut valid = true;
        if let Some(branches) = &node.any_of {
            valid &= self
                .count(branches, instance, evaluated, &mut gathered, |count| {
                    count.matched > 0
                })?
                .matched
                > 0;
        }
        if let Some(branches) = &node.all_of {
            valid &= self
                .count(branches, instance, evaluated, &mut gathered, |count| {
                    count.missed > 0
                })?
                .missed
                == 0;
        }
        if let Some(branches) = &node.one_of {
            valid &= self
                .count(branches, instance, evaluated, &mut gathered, |count| {
                    count.matched > 1
                })?
                .matched
                == 1;
        }
        evaluated.own.extend(gathered);
        Ok(valid)
    }

    /// How many of the branches match, counted until the answer `is_known`.
    fn count(
        &mut self,
        branches: &[NodeId],
        instance: &Value,
        evaluated: &Evaluated,
        gathered: &mut HashSet<String>,
        is_known: impl Fn(&Count) -> bool,
    ) -> Result<Count, Fault> {
        let mut count = Count::default();
        for branch in branches {
            let mut below = if self.schemas.tracks_evaluated {
                self.steps = self.steps.saturating_add(evaluated.size() / SMALL_STEPS);
                Evaluated::below(evaluated)
            } else {
                Evaluated::default()
            };
            if self.matches(*branch, instance, &mut below)? {
                count.matched += 1;
                gathered.extend(below.own);
            } else {
                count.missed += 1;
            }
            if !self.thorough && is_known(&count) {
                break;
            }
        }
        Ok(count)
    }

    /// Whether `pattern` occurs in `text`. What that took counts for the whole evaluation.
    fn occurs(&mut self, pattern: &OwnedPattern, text: &str) -> Result<bool, Fault> {
        let (found, steps) = pattern.counted(text);
        self.steps = self.steps.saturating_add(steps / SMALL_STEPS);
        found
    }

    fn note(&self, evaluated: &mut Evaluated, key: &str) {
        if self.schemas.tracks_evaluated {
            evaluated.own.insert(key.to_owned());
        }
    }
}

fn raise(fault: Option<&Fault>) -> Result<(), Fault> {
    fault.map_or(Ok(()), |fault| Err(fault.clone()))
}

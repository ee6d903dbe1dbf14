//! Whether a value matches a schema.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::Fault;
use super::node::{
    ArrayKeywords, Contains, Keywords, Node, NodeId, NumberKeywords, ObjectKeywords, Schemas,
    StringKeywords, Type,
};

/// Far beyond what a schema for a request needs; what passes it is a reference that runs in circles.
const MAX_DEPTH: u32 = 256;
const MAX_STEPS: u32 = 200_000;

/// What of an object or a list has been evaluated, for `unevaluatedProperties` and `unevaluatedItems`.
#[derive(Default)]
struct Evaluated {
    own: HashSet<String>,
    /// What the enclosing schema had evaluated before.
    inherited: HashSet<String>,
}

impl Evaluated {
    fn below(parent: &Self) -> Self {
        Self {
            own: HashSet::new(),
            inherited: parent.own.union(&parent.inherited).cloned().collect(),
        }
    }

    fn contains(&self, key: &str) -> bool {
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
        let mut evaluation = Evaluation {
            schemas: self,
            thorough: self.can_fail || self.tracks_evaluated,
            depth: 0,
            steps: 0,
        };
        evaluation.matches(id, instance, &mut Evaluated::default())
    }
}

struct Evaluation<'a> {
    schemas: &'a Schemas,
    /// Whether every branch is looked at although the answer is already known.
    thorough: bool,
    depth: u32,
    steps: u32,
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
                schema: "$ref".to_owned(),
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
        match instance {
            Value::Object(members) => {
                raise(node.faults.object.as_ref())?;
                if let Some(object) = &node.object {
                    valid &= self.object(object, members, evaluated)?;
                }
            }
            Value::Array(items) => {
                raise(node.faults.array.as_ref())?;
                if let Some(array) = &node.array {
                    valid &= self.array(array, items, evaluated)?;
                }
            }
            Value::Number(value) => {
                if let Some(number) = &node.number {
                    valid &= within(number, value);
                }
            }
            Value::String(text) => {
                raise(node.faults.string.as_ref())?;
                if let Some(string) = &node.string {
                    valid &= text_matches(string, text)?;
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        Ok(valid)
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
            valid &= self.count(branches, instance, evaluated, &mut gathered, 1, usize::MAX)? > 0;
        }
        if let Some(branches) = &node.all_of {
            let matched =
                self.count(branches, instance, evaluated, &mut gathered, usize::MAX, 1)?;
            valid &= matched == branches.len();
        }
        if let Some(branches) = &node.one_of {
            let matched =
                self.count(branches, instance, evaluated, &mut gathered, 2, usize::MAX)?;
            valid &= matched == 1;
        }
        evaluated.own.extend(gathered);
        Ok(valid)
    }

    /// How many of the branches match, counted up to `enough` of them, or until `misses` of them do not.
    fn count(
        &mut self,
        branches: &[NodeId],
        instance: &Value,
        evaluated: &Evaluated,
        gathered: &mut HashSet<String>,
        enough: usize,
        misses: usize,
    ) -> Result<usize, Fault> {
        let mut matched = 0;
        let mut missed = 0;
        for branch in branches {
            let mut below = if self.schemas.tracks_evaluated {
                Evaluated::below(evaluated)
            } else {
                Evaluated::default()
            };
            if self.matches(*branch, instance, &mut below)? {
                matched += 1;
                gathered.extend(below.own);
            } else {
                missed += 1;
            }
            if !self.thorough && (matched >= enough || missed >= misses) {
                break;
            }
        }
        Ok(matched)
    }

    fn object(
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
                let matched = pattern
                    .is_match(name)
                    .map_err(|_| too_costly("patternProperties"))?;
                if !matched {
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
        if let Some(additional) = node.additional {
            for (name, value) in members
                .iter()
                .filter(|(name, _)| !covered.contains(name.as_str()))
            {
                if self.part(additional, value)? {
                    self.note(evaluated, name);
                } else {
                    valid = false;
                }
            }
        } else if let Some(unevaluated) = node.unevaluated {
            for (name, value) in members {
                if evaluated.contains(name) {
                    continue;
                }
                if self.part(unevaluated, value)? {
                    self.note(evaluated, name);
                } else {
                    valid = false;
                }
            }
        }
        Ok(valid)
    }

    fn note(&self, evaluated: &mut Evaluated, key: &str) {
        if self.schemas.tracks_evaluated {
            evaluated.own.insert(key.to_owned());
        }
    }

    fn array(
        &mut self,
        node: &ArrayKeywords,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let count = items.len() as f64;
        let mut valid = !node.max_items.is_some_and(|max| count > max)
            && !node.min_items.is_some_and(|min| count < min);
        let mut stopped = false;
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = node.prefix.get(index).copied().or(node.items) else {
                break;
            };
            self.note(evaluated, &index.to_string());
            if !self.part(schema, item)? {
                stopped = true;
                break;
            }
        }
        valid &= !stopped;
        if let Some(contains) = &node.contains {
            valid &= self.contains(contains, items, evaluated)?;
        }
        if !stopped && let Some(unevaluated) = node.unevaluated {
            let first = if node.items.is_some() {
                items.len()
            } else {
                node.prefix.len().min(items.len())
            };
            for (index, item) in items.iter().enumerate().skip(first) {
                let key = index.to_string();
                if !evaluated.contains(&key) {
                    valid &= self.part(unevaluated, item)?;
                    self.note(evaluated, &key);
                }
            }
        }
        if node.unique {
            valid &= items.iter().enumerate().all(|(index, item)| {
                items
                    .iter()
                    .skip(index + 1)
                    .all(|other| !equal(item, other))
            });
        }
        Ok(valid)
    }

    /// Without a minimum one item is asked for, unless only a maximum is given.
    fn contains(
        &mut self,
        node: &Contains,
        items: &[Value],
        evaluated: &mut Evaluated,
    ) -> Result<bool, Fault> {
        let count = items.len() as f64;
        if node.min.is_some_and(|min| count < min) || (node.min.is_none() && items.is_empty()) {
            return Ok(false);
        }
        let mut matched = 0.0;
        for (index, item) in items.iter().enumerate() {
            if self.part(node.schema, item)? {
                matched += 1.0;
                self.note(evaluated, &index.to_string());
            }
        }
        Ok(match (node.min, node.max) {
            (None, None) => matched > 0.0,
            (Some(min), _) if matched < min => false,
            (_, Some(max)) => max.is_nan() || matched <= max,
            (Some(_), None) => true,
        })
    }
}

fn raise(fault: Option<&Fault>) -> Result<(), Fault> {
    fault.map_or(Ok(()), |fault| Err(fault.clone()))
}

fn too_costly(schema: &str) -> Fault {
    Fault {
        schema: schema.to_owned(),
        detail:
            "its pattern takes too long on this request; simplify its lookarounds or backreferences"
                .to_owned(),
    }
}

fn is_type(instance: &Value, expected: Type) -> bool {
    match (instance, expected) {
        (Value::Null, Type::Null)
        | (Value::Bool(_), Type::Boolean)
        | (Value::Number(_), Type::Number)
        | (Value::String(_), Type::String)
        | (Value::Array(_), Type::Array)
        | (Value::Object(_), Type::Object) => true,
        (Value::Number(number), Type::Integer) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

/// Numbers are equal by value (`1` and `1.0`), objects whatever the order of their keys.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => one == other,
    }
}

fn within(node: &NumberKeywords, value: &Number) -> bool {
    let value = value.as_f64().unwrap_or(f64::NAN);
    !node.minimum.is_some_and(|limit| value < limit)
        && !node.maximum.is_some_and(|limit| value > limit)
        && !node.exclusive_minimum.is_some_and(|limit| value <= limit)
        && !node.exclusive_maximum.is_some_and(|limit| value >= limit)
        && node
            .multiple_of
            .is_none_or(|factor| is_multiple(value, factor))
}

/// With room for the rounding of decimal fractions.
fn is_multiple(value: f64, factor: f64) -> bool {
    const ROUNDING: f64 = 1.192_092_9e-7;
    let remainder = value % factor;
    !(remainder.abs() >= ROUNDING && (factor - remainder).abs() >= ROUNDING)
}

fn text_matches(node: &StringKeywords, text: &str) -> Result<bool, Fault> {
    if node.min_length.is_some() || node.max_length.is_some() {
        let length = text.chars().count() as f64;
        if node.min_length.is_some_and(|min| length < min)
            || node.max_length.is_some_and(|max| length > max)
        {
            return Ok(false);
        }
    }
    if let Some(pattern) = &node.pattern
        && !pattern
            .is_match(text)
            .map_err(|_| too_costly(&node.pattern_owner))?
    {
        return Ok(false);
    }
    Ok(node.format.is_none_or(|format| format.matches(text)))
}

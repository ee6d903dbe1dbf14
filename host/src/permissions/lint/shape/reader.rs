//! From schemas to shapes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::super::keywords;
use super::atom::{alternatives, impossible};
use super::region::Region;
use super::{MAX_REGIONS, Property, Shape};
use crate::permissions::schema::Registry;

/// Deeper than schemas for people nest, and an end to references that run in circles.
const MAX_DEPTH: usize = 12;

/// Reads the shapes of named schemas, each once.
pub(in crate::permissions::lint) struct Reader<'a> {
    registry: &'a Registry<'a>,
    shapes: RefCell<HashMap<String, Rc<Shape>>>,
}

impl<'a> Reader<'a> {
    pub(in crate::permissions::lint) fn new(registry: &'a Registry<'a>) -> Self {
        Self {
            registry,
            shapes: RefCell::default(),
        }
    }

    /// The shape of the schema `name`; of an unknown name nothing is known.
    pub(in crate::permissions::lint) fn shape(&self, name: &str) -> Rc<Shape> {
        self.named(name, MAX_DEPTH)
    }

    fn named(&self, name: &str, depth: usize) -> Rc<Shape> {
        if let Some(shape) = self.shapes.borrow().get(name) {
            return Rc::clone(shape);
        }
        let remember = |regions| {
            let shape = Rc::new(Shape { regions });
            let mut shapes = self.shapes.borrow_mut();
            shapes.insert(name.to_owned(), Rc::clone(&shape));
            shape
        };
        // What refers to itself meets this.
        let unknown = remember(vec![Region::unknown()]);
        match self.registry.get(name) {
            Some(schema) => remember(self.read(schema, schema, depth)),
            None => unknown,
        }
    }

    /// The regions of `schema`, which stands at the level of the request within `root`.
    fn read(&self, schema: &Value, root: &Value, depth: usize) -> Vec<Region> {
        let keywords = match schema {
            Value::Bool(true) => return vec![Region::everything()],
            Value::Bool(false) => return Vec::new(),
            Value::Object(keywords) if depth > 0 => keywords,
            _ => return vec![Region::unknown()],
        };
        let mut regions = vec![Region::everything()];
        for (key, value) in keywords {
            let Some(part) = self.keyword(key, value, keywords, root, depth - 1) else {
                continue;
            };
            regions = product(&regions, &part);
        }
        regions
    }

    /// The regions that a keyword leaves; `None` where it demands nothing of a request.
    fn keyword(
        &self,
        key: &str,
        value: &Value,
        beside: &Map<String, Value>,
        root: &Value,
        depth: usize,
    ) -> Option<Vec<Region>> {
        let vague = || Some(vec![Region::unknown()]);
        match (key, value) {
            (key, _) if keywords::is_annotation(key) || demands_of_others(key) => None,
            ("$id" | "id" | "$anchor" | "$dynamicAnchor", _) => None,
            ("then" | "else", _) if !beside.contains_key("if") => None,
            ("$ref", _) => Some(self.referred(beside, root, depth)),
            ("type", Value::String(name)) if name == "object" => None,
            ("type", Value::Array(names)) if names.iter().any(|name| name == "object") => None,
            ("type", Value::String(_) | Value::Array(_)) => Some(Vec::new()),
            ("allOf", Value::Array(branches)) => Some(
                branches
                    .iter()
                    .fold(vec![Region::everything()], |regions, branch| {
                        product(&regions, &self.read(branch, root, depth))
                    }),
            ),
            ("anyOf", Value::Array(branches)) => Some(self.union(branches, root, depth)),
            ("oneOf", Value::Array(branches)) => {
                let regions = self.union(branches, root, depth).into_iter();
                Some(if branches.len() < 2 {
                    regions.collect()
                } else {
                    regions.map(Region::vague).collect()
                })
            }
            ("not", value) => match self.read(value, root, depth) {
                denied if denied.is_empty() => None,
                denied if denied.iter().any(Region::is_everything) => Some(Vec::new()),
                _ => vague(),
            },
            ("properties", Value::Object(members)) => Some(
                members
                    .iter()
                    .fold(vec![Region::everything()], |regions, (name, member)| {
                        product(&regions, &property(name, member))
                    }),
            ),
            ("required", Value::Array(names)) => Some(
                names
                    .iter()
                    .fold(vec![Region::everything()], |regions, name| {
                        product(&regions, &required(name))
                    }),
            ),
            _ => vague(),
        }
    }

    fn union(&self, branches: &[Value], root: &Value, depth: usize) -> Vec<Region> {
        let branches = branches
            .iter()
            .flat_map(|branch| self.read(branch, root, depth));
        let regions: Vec<_> = branches.take(MAX_REGIONS + 1).collect();
        if regions.len() > MAX_REGIONS {
            return vec![Region::unknown()];
        }
        regions
    }

    /// What `{"$ref": "#/$defs/<name>"}` leads to. Other references are left vague.
    fn referred(&self, schema: &Map<String, Value>, root: &Value, depth: usize) -> Vec<Region> {
        match keywords::referred_name(schema) {
            Some(name) if !keywords::has_places(root) => self.named(&name, depth).regions.clone(),
            _ => vec![Region::unknown()],
        }
    }
}

/// Keywords that say something about values of other kinds than a request is.
fn demands_of_others(key: &str) -> bool {
    matches!(
        key,
        "pattern"
            | "format"
            | "minLength"
            | "maxLength"
            | "minimum"
            | "maximum"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "multipleOf"
            | "items"
            | "prefixItems"
            | "additionalItems"
            | "contains"
            | "minContains"
            | "maxContains"
            | "minItems"
            | "maxItems"
            | "uniqueItems"
    )
}

fn property(name: &str, schema: &Value) -> Vec<Region> {
    let Some(property) = Property::named(name) else {
        // No request has it, so nothing is demanded; the engine refuses such a schema.
        return vec![Region::unknown()];
    };
    let mut regions: Vec<_> = alternatives(schema, property.kind())
        .into_iter()
        .filter_map(|demands| Region::demanding(property, demands))
        .collect();
    if regions.is_empty() && !property.is_constant() {
        // Only what lacks the property matches.
        regions.extend(Region::demanding(property, impossible(property.kind())));
    }
    regions
}

fn required(name: &Value) -> Vec<Region> {
    match name.as_str().map(Property::named) {
        Some(Some(property)) => vec![Region::with(property)],
        Some(None) => Vec::new(),
        None => vec![Region::unknown()],
    }
}

/// The requests of both. What becomes too much is left vague.
fn product(one: &[Region], other: &[Region]) -> Vec<Region> {
    if one.len().saturating_mul(other.len()) > MAX_REGIONS {
        return one.iter().cloned().map(Region::vague).collect();
    }
    one.iter()
        .flat_map(|one| other.iter().filter_map(|other| one.and(other)))
        .collect()
}

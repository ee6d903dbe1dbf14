//! A walk through a schema: every place in it, and what part of the request it is about.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::keywords::pointer_step;

/// Deeper than schemas for people nest.
const MAX_DEPTH: usize = 24;

/// A schema within a schema.
pub(super) struct Spot<'a> {
    /// A JSON pointer from the whole schema.
    pub(super) place: String,
    pub(super) keywords: &'a Map<String, Value>,
    /// The properties that lead to the part of the request that it is about; `*` stands for any.
    pub(super) about: Vec<&'a str>,
    /// Whether matching here can only help the whole to match. Under `not` it is the other way round.
    pub(super) is_positive: bool,
    /// The properties that are demanded here beside this schema's own `properties`; `None` where that is not known.
    pub(super) required: Option<Rc<HashSet<&'a str>>>,
}

/// Calls `visit` with `schema` and every schema in it. References are not followed.
pub(super) fn walk<'a>(schema: &'a Value, visit: &mut impl FnMut(&Spot<'a>)) {
    Walk { visit }.at(
        Step {
            schema,
            place: String::new(),
            about: Vec::new(),
            is_positive: true,
            required: Some(Rc::default()),
        },
        MAX_DEPTH,
    );
}

struct Walk<'v, V> {
    visit: &'v mut V,
}

#[derive(Clone)]
struct Step<'a> {
    schema: &'a Value,
    place: String,
    about: Vec<&'a str>,
    is_positive: bool,
    required: Option<Rc<HashSet<&'a str>>>,
}

impl<'a, V: FnMut(&Spot<'a>)> Walk<'_, V> {
    fn at(&mut self, step: Step<'a>, depth: usize) {
        let (Some(keywords), Some(depth)) = (step.schema.as_object(), depth.checked_sub(1)) else {
            return;
        };
        let required = step.required.as_deref().and_then(|outer| {
            let mut required = outer.clone();
            gather_required(keywords, &mut required, depth).then(|| Rc::new(required))
        });
        let spot = Spot {
            place: step.place,
            keywords,
            about: step.about,
            is_positive: step.is_positive,
            required,
        };
        (self.visit)(&spot);
        for (key, value) in keywords {
            self.keyword(&spot, key, value, depth);
        }
    }

    fn keyword(&mut self, spot: &Spot<'a>, key: &'a str, value: &'a Value, depth: usize) {
        let place = format!("{}/{}", spot.place, pointer_step(key));
        match (key, value) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(branches)) => {
                for (index, branch) in branches.iter().enumerate() {
                    // That another branch of oneOf matches does not help.
                    let is_positive = spot.is_positive && (key != "oneOf" || branches.len() < 2);
                    let place = format!("{place}/{index}");
                    self.at(
                        Step {
                            is_positive,
                            ..spot.same(branch, place)
                        },
                        depth,
                    );
                }
            }
            ("then" | "else", _) => self.at(spot.same(value, place), depth),
            ("not" | "if" | "propertyNames", _) => {
                let step = Step {
                    is_positive: false,
                    ..spot.same(value, place)
                };
                self.at(step, depth);
            }
            ("properties", Value::Object(members)) => {
                for (name, member) in members {
                    let place = format!("{place}/{}", pointer_step(name));
                    self.at(spot.part(member, place, name), depth);
                }
            }
            ("patternProperties", Value::Object(members)) => {
                for (name, member) in members {
                    let place = format!("{place}/{}", pointer_step(name));
                    self.at(spot.part(member, place, "*"), depth);
                }
            }
            ("dependentSchemas", Value::Object(members)) => {
                for (name, member) in members {
                    let place = format!("{place}/{}", pointer_step(name));
                    self.at(spot.same(member, place), depth);
                }
            }
            ("prefixItems", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.at(spot.part(item, format!("{place}/{index}"), "*"), depth);
                }
            }
            (
                "items"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "unevaluatedItems",
                _,
            ) => {
                self.at(spot.part(value, place, "*"), depth);
            }
            _ => {}
        }
    }
}

impl<'a> Spot<'a> {
    /// Another schema about the same part of the request.
    fn same(&self, schema: &'a Value, place: String) -> Step<'a> {
        Step {
            schema,
            place,
            about: self.about.clone(),
            is_positive: self.is_positive,
            required: self.required.clone(),
        }
    }

    /// A schema about a part of that part.
    fn part(&self, schema: &'a Value, place: String, name: &'a str) -> Step<'a> {
        let mut step = self.same(schema, place);
        step.about.push(name);
        step.required = Some(Rc::default());
        step
    }
}

/// Adds what a schema and all that must match with it demand; false where that is not all that is demanded.
fn gather_required<'a>(
    keywords: &'a Map<String, Value>,
    required: &mut HashSet<&'a str>,
    depth: usize,
) -> bool {
    if keywords.contains_key("$ref") || keywords.contains_key("minProperties") {
        return false;
    }
    if let Some(Value::Array(names)) = keywords.get("required") {
        required.extend(names.iter().filter_map(Value::as_str));
    }
    let Some(Value::Array(branches)) = keywords.get("allOf") else {
        return true;
    };
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    branches
        .iter()
        .filter_map(Value::as_object)
        .all(|branch| gather_required(branch, required, depth))
}

//! What a schema says of one property, taken apart into demands that hold together.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::keywords;
use super::{Kind, MAX_REGIONS};
use crate::permissions::builtin::BuiltinSchemas;
use crate::permissions::pattern::Survey;
use crate::permissions::schema::{Compiler, NodeId, Registry, Schemas};

/// Deeper than schemas for people nest.
const MAX_DEPTH: usize = 12;

/// Demands that must all be met.
pub(super) type Conjunction = Vec<Rc<Atom>>;

/// One demand on a value: a schema with one keyword, or with keywords that only mean something together.
#[derive(Debug)]
pub(super) struct Atom {
    pub(super) schema: Value,
    /// The values outside of which nothing meets it, where there are few.
    pub(super) values: Option<Vec<Value>>,
    /// What every text that meets it begins with.
    pub(super) lead: String,
    /// Whether beginning so is all that is demanded.
    pub(super) lead_is_all: bool,
    matcher: Option<Matcher>,
}

impl Atom {
    /// Whether `value` meets the demand; `None` where that cannot be told.
    pub(super) fn is_met_by(&self, value: &Value) -> Option<bool> {
        self.matcher.as_ref()?.matches(value)
    }

    /// Whether both are the same demand for certain. What refers elsewhere depends on the schema that it stands in.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.schema == other.schema && !keywords::refers(&self.schema)
    }

    fn of(schema: Value, kind: Kind) -> Self {
        let mut atom = Self {
            values: schema.get("const").map(|value| vec![value.clone()]),
            lead: String::new(),
            lead_is_all: false,
            matcher: Matcher::of(&schema),
            schema,
        };
        match (&atom.schema, atom.schema.get("enum")) {
            (Value::Bool(false), _) => atom.values = Some(Vec::new()),
            (_, Some(Value::Array(values))) => atom.values = Some(values.clone()),
            _ => {}
        }
        // On a value of another kind a pattern makes no demand.
        let pattern = atom.schema.get("pattern").filter(|_| kind == Kind::Text);
        if let Some(survey) = pattern.and_then(Value::as_str).and_then(Survey::of) {
            let texts = survey.texts();
            atom.values = texts.map(|texts| texts.into_iter().map(Value::String).collect());
            atom.lead = survey.leading_text();
            // What stands beside the pattern may demand more.
            let is_alone = atom.schema.as_object().is_some_and(|all| all.len() == 1);
            atom.lead_is_all = is_alone && survey.leading_text_alone().is_some();
        }
        atom
    }
}

/// The alternatives that a schema leaves for a value of this kind: one of the conjunctions must be met, and that is enough.
pub(super) fn alternatives(schema: &Value, kind: Kind) -> Vec<Conjunction> {
    within(schema, kind, MAX_DEPTH)
}

/// A demand that no value meets.
pub(super) fn impossible(kind: Kind) -> Conjunction {
    vec![Rc::new(Atom::of(Value::Bool(false), kind))]
}

fn within(schema: &Value, kind: Kind, depth: usize) -> Vec<Conjunction> {
    let keywords = match schema {
        Value::Bool(true) => return vec![Vec::new()],
        Value::Bool(false) => return Vec::new(),
        Value::Object(keywords) if depth > 0 && is_plain(keywords) => keywords,
        other => return whole(other, kind),
    };
    let mut left = vec![Vec::new()];
    for (key, value) in keywords {
        let part = match (key.as_str(), value) {
            (key, _) if keywords::is_annotation(key) || keywords::is_grouped(key) => continue,
            ("type", value) => match type_answer(value, kind) {
                Some(true) => continue,
                Some(false) => return Vec::new(),
                None => whole(&json!({"type": value}), kind),
            },
            ("anyOf", Value::Array(branches)) => union(branches, kind, depth),
            ("oneOf", Value::Array(branches)) if branches.len() < 2 => union(branches, kind, depth),
            ("allOf", Value::Array(branches)) => {
                branches.iter().fold(vec![Vec::new()], |left, branch| {
                    product(left, within(branch, kind, depth - 1), schema, kind)
                })
            }
            ("not", value) => {
                let denied = within(value, kind, depth - 1);
                if denied.is_empty() {
                    continue;
                }
                if denied.iter().any(Vec::is_empty) {
                    return Vec::new();
                }
                whole(&json!({"not": value}), kind)
            }
            ("properties", Value::Object(members)) if !has_rest(keywords) => conjunction(
                members
                    .iter()
                    .map(|(name, member)| json!({"properties": {name: member}})),
                kind,
            ),
            ("required", Value::Array(names)) => {
                conjunction(names.iter().map(|name| json!({"required": [name]})), kind)
            }
            (key, value) => whole(&json!({key: value}), kind),
        };
        left = product(left, part, schema, kind);
    }
    for group in keywords::groups(keywords) {
        left = product(left, whole(&Value::Object(group), kind), schema, kind);
    }
    left
}

/// A reference means something in its own document alone, and what is left over depends on everything beside it.
fn is_plain(keywords: &Map<String, Value>) -> bool {
    !keywords
        .keys()
        .any(|key| keywords::is_reference(key) || key.starts_with("unevaluated"))
}

/// Whether the demand on some properties depends on what is said of the others.
fn has_rest(keywords: &Map<String, Value>) -> bool {
    keywords.contains_key("additionalProperties")
}

fn whole(schema: &Value, kind: Kind) -> Vec<Conjunction> {
    vec![vec![Rc::new(Atom::of(schema.clone(), kind))]]
}

fn conjunction(schemas: impl Iterator<Item = Value>, kind: Kind) -> Vec<Conjunction> {
    vec![
        schemas
            .map(|schema| Rc::new(Atom::of(schema, kind)))
            .collect(),
    ]
}

fn union(branches: &[Value], kind: Kind, depth: usize) -> Vec<Conjunction> {
    branches
        .iter()
        .flat_map(|branch| within(branch, kind, depth - 1))
        .collect()
}

/// Both sides at once; what becomes too much is left as it stands.
fn product(
    one: Vec<Conjunction>,
    other: Vec<Conjunction>,
    schema: &Value,
    kind: Kind,
) -> Vec<Conjunction> {
    if one.len().saturating_mul(other.len()) > MAX_REGIONS {
        return whole(schema, kind);
    }
    one.iter()
        .flat_map(|one| {
            other
                .iter()
                .map(move |other| one.iter().chain(other).map(Rc::clone).collect())
        })
        .collect()
}

/// Whether every value of this kind has the type, or none; `None` where that depends on the value.
fn type_answer(types: &Value, kind: Kind) -> Option<bool> {
    let wanted = match kind {
        Kind::Text => "string",
        Kind::Number => "integer",
        Kind::Object => "object",
        Kind::Whichever => return None,
    };
    let is_it = |name: &Value| name == wanted || (kind == Kind::Number && name == "number");
    Some(match types {
        Value::Array(names) => names.iter().any(is_it),
        name => is_it(name),
    })
}

/// The engine, asked about single values.
struct Matcher {
    schemas: Schemas,
    id: NodeId,
}

/// A property whose value may be anything.
const PLACE: &str = "parsedBody";

impl Matcher {
    /// `None` where the schema refers elsewhere, or cannot be evaluated.
    fn of(schema: &Value) -> Option<Self> {
        if keywords::refers(schema) {
            return None;
        }
        const NAME: &str = "demand";
        let defined = HashMap::from([(
            NAME.to_owned(),
            Arc::new(json!({"properties": {PLACE: schema}})),
        )]);
        let registry = Registry {
            defined: &defined,
            builtin: BuiltinSchemas::none(),
        };
        let mut compiler = Compiler::new(&registry);
        let id = compiler.named(NAME).ok()??;
        let schemas = compiler.finish();
        schemas
            .first_fault()
            .is_none()
            .then_some(Self { schemas, id })
    }

    fn matches(&self, value: &Value) -> Option<bool> {
        self.schemas.matches(self.id, &json!({PLACE: value})).ok()
    }
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matcher").finish_non_exhaustive()
    }
}

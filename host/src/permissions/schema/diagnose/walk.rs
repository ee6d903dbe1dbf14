//! The keywords that apply to every kind of value, and the way from one schema to the next.

use serde_json::Value;

use super::super::evaluate::{Evaluated, equal, is_type};
use super::super::node::{Condition, Keywords, Node, NodeId, Schemas};
use super::super::origins::{Origin, Origins, below};
use super::{Diagnostics, Mismatch};

/// How many schemas are looked into: far more than anybody reads reasons of.
const BUDGET: usize = 500;
/// How much of a value a reason shows, in characters.
const SHOWN: usize = 200;
/// Stands for a keyword where no particulars are known: beyond the budget, and where references run in circles.
const NO_PARTICULARS: &str = "schema";

/// A part of the request and the JSON pointer to it.
#[derive(Clone, Copy)]
pub(super) struct Part<'v> {
    pub(super) value: &'v Value,
    pub(super) at: &'v str,
}

/// The schema whose keywords are being looked at, and the part of the request that it is about.
pub(super) struct Here<'w, 'v> {
    pub(super) origin: &'w Origin,
    pub(super) part: Part<'v>,
}

pub(super) struct Walk<'w> {
    pub(super) schemas: &'w Schemas,
    origins: &'w Origins,
    shown: &'w Value,
    budget: usize,
    /// What is being looked into, from the outermost: a schema and the part of the request that it is about.
    open: Vec<(NodeId, String)>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(diagnostics: &Diagnostics<'w>, shown: &'w Value) -> Self {
        Self {
            schemas: diagnostics.schemas,
            origins: diagnostics.origins,
            shown,
            budget: BUDGET,
            open: Vec::new(),
        }
    }

    /// Why the part does not match the schema at `id`, which it does not after `evaluated`: never empty.
    pub(super) fn node(
        &mut self,
        id: NodeId,
        part: Part<'_>,
        evaluated: Evaluated,
    ) -> Vec<Mismatch> {
        let nowhere = Origin {
            schema: "".into(),
            pointer: String::new(),
        };
        let here = Here {
            origin: self.origins.get(id).unwrap_or(&nowhere),
            part,
        };
        let is_open = |(node, at): &(NodeId, String)| *node == id && at == part.at;
        let schemas = self.schemas;
        let mut reasons = match schemas.nodes.get(id.0) {
            Some(Node::Keywords(keywords)) if self.budget > 0 && !self.open.iter().any(is_open) => {
                self.budget -= 1;
                self.open.push((id, part.at.to_owned()));
                let reasons = self.keywords(keywords, &here, evaluated);
                self.open.pop();
                reasons
            }
            Some(Node::Keywords(_)) | None => Vec::new(),
            Some(Node::Constant(_) | Node::Broken(_)) => {
                vec![self.whole(&here, "false", Value::Bool(false))]
            }
        };
        reasons.retain(has_particulars);
        if reasons.is_empty() {
            reasons.push(self.whole(&here, NO_PARTICULARS, Value::Null));
        }
        reasons
    }

    fn keywords(
        &mut self,
        node: &Keywords,
        here: &Here<'_, '_>,
        mut evaluated: Evaluated,
    ) -> Vec<Mismatch> {
        let value = here.part.value;
        let mut reasons = Vec::new();
        if let Some(reference) = node.reference {
            reasons.extend(self.in_place(reference, here.part, &mut evaluated));
        }
        if let Some(types) = &node.types
            && !types.iter().any(|expected| is_type(value, *expected))
        {
            let mut reason = self.reason(here, "type");
            if reason.expected.is_null() {
                reason.expected = "object".into();
            }
            reasons.push(reason);
        }
        if let Some(constant) = &node.constant
            && !equal(value, constant)
        {
            reasons.push(self.reason(here, "const"));
        }
        if let Some(values) = &node.one_of_values
            && !values.iter().any(|expected| equal(value, expected))
        {
            reasons.push(self.reason(here, "enum"));
        }
        if let Some(not) = node.not
            && self.schemas.matches(not, value) == Ok(true)
        {
            reasons.push(self.reason(here, "not"));
        }
        reasons.extend(self.combinations(node, here, &mut evaluated));
        if let Some(condition) = &node.condition {
            reasons.extend(self.condition(condition, here.part, &mut evaluated));
        }
        reasons.extend(
            match value {
                Value::Object(members) => node
                    .object
                    .as_ref()
                    .map(|object| self.object(object, here, members, &mut evaluated)),
                Value::Array(items) => node
                    .array
                    .as_ref()
                    .map(|array| self.array(array, here, items, &mut evaluated)),
                Value::Number(number) => node
                    .number
                    .as_ref()
                    .map(|limits| self.number(limits, here, number)),
                Value::String(text) => node
                    .string
                    .as_ref()
                    .map(|string| self.text(string, here, text)),
                Value::Null | Value::Bool(_) => None,
            }
            .unwrap_or_default(),
        );
        reasons
    }

    /// `anyOf`, `allOf` and `oneOf`, of which every branch starts from what was evaluated before them.
    fn combinations(
        &mut self,
        node: &Keywords,
        here: &Here<'_, '_>,
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let mut gathered = Vec::new();
        let mut reasons = Vec::new();
        let mut branches = |walk: &mut Self, ids: &[NodeId]| {
            let mut branches = Branches::default();
            for id in ids {
                let mut below = Evaluated::below(evaluated);
                let missed = walk.in_place(*id, here.part, &mut below);
                if missed.is_empty() {
                    branches.matched += 1;
                    gathered.extend(below.own);
                } else if missed.iter().any(has_particulars) {
                    branches.missed.push(missed);
                }
            }
            branches
        };
        if let Some(ids) = &node.any_of {
            let Branches { matched, missed } = branches(self, ids);
            if matched == 0 {
                reasons.push(Mismatch {
                    expected: ids.len().into(),
                    alternatives: missed,
                    ..self.reason(here, "anyOf")
                });
            }
        }
        if let Some(ids) = &node.all_of {
            reasons.extend(branches(self, ids).missed.into_iter().flatten());
        }
        if let Some(ids) = &node.one_of {
            let Branches { matched, missed } = branches(self, ids);
            if matched != 1 {
                reasons.push(Mismatch {
                    expected: ids.len().into(),
                    actual: Some(matched.into()),
                    alternatives: if matched == 0 { missed } else { Vec::new() },
                    ..self.reason(here, "oneOf")
                });
            }
        }
        evaluated.own.extend(gathered);
        reasons
    }

    fn condition(
        &mut self,
        condition: &Condition,
        part: Part<'_>,
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let test = self
            .schemas
            .matches_after(condition.test, part.value, evaluated);
        let branch = match test {
            Ok(true) => condition.then,
            Ok(false) => condition.otherwise,
            Err(_) => None,
        };
        branch.map_or_else(Vec::new, |branch| self.in_place(branch, part, evaluated))
    }

    /// Why the part does not match another schema about the same part; nothing when it does.
    pub(super) fn in_place(
        &mut self,
        id: NodeId,
        part: Part<'_>,
        evaluated: &mut Evaluated,
    ) -> Vec<Mismatch> {
        let before = evaluated.clone();
        match self.schemas.matches_after(id, part.value, evaluated) {
            Ok(false) => self.node(id, part, before),
            // A fault here was out of the evaluator's way, or there would be no answer to explain.
            Ok(true) | Err(_) => Vec::new(),
        }
    }

    /// The same for a part of the part.
    pub(super) fn member(
        &mut self,
        id: NodeId,
        part: Part<'_>,
        name: &str,
        value: &Value,
    ) -> Vec<Mismatch> {
        let at = below(part.at, name);
        self.in_place(id, Part { value, at: &at }, &mut Evaluated::default())
    }

    /// A reason that is about the part as a whole.
    pub(super) fn reason(&self, here: &Here<'_, '_>, keyword: &'static str) -> Mismatch {
        let expected = self.source(here, keyword).cloned().unwrap_or_default();
        let mut reason = self.whole(here, keyword, expected);
        reason.place = format!("{}/{keyword}", reason.place);
        reason
    }

    /// What a keyword of the schema holds.
    pub(super) fn source(&self, here: &Here<'_, '_>, keyword: &str) -> Option<&'w Value> {
        self.origins.source(here.origin)?.get(keyword)
    }

    fn whole(&self, here: &Here<'_, '_>, keyword: &'static str, expected: Value) -> Mismatch {
        Mismatch {
            at: here.part.at.to_owned(),
            schema: here.origin.schema.to_string(),
            place: format!("#{}", here.origin.pointer),
            keyword,
            expected,
            actual: self.shown.pointer(here.part.at).map(shortened),
            alternatives: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Branches {
    matched: usize,
    missed: Vec<Vec<Mismatch>>,
}

fn has_particulars(reason: &Mismatch) -> bool {
    reason.keyword != NO_PARTICULARS
}

/// A value as a reason shows it.
pub(super) fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().nth(SHOWN).is_some() => {
            let mut start: String = text.chars().take(SHOWN).collect();
            start.push('…');
            start.into()
        }
        Value::Object(members) => match members.len() {
            1 => "an object with 1 member".into(),
            count => format!("an object with {count} members").into(),
        },
        Value::Array(items) => match items.len() {
            1 => "a list with 1 item".into(),
            count => format!("a list with {count} items").into(),
        },
        _ => value.clone(),
    }
}

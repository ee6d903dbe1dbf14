//! The compiled form of schemas: nodes that refer to one another by number.

use std::sync::Arc;

use serde_json::Value;

use super::Fault;
use super::bounds::Bounds;
use super::format::Format;
use crate::permissions::pattern::{Pattern, TooCostly};

/// A node of the [`Schemas`] that it was compiled into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::permissions) struct NodeId(pub(super) usize);

/// The nodes of everything that was compiled together.
#[derive(Debug, Default)]
pub(in crate::permissions) struct Schemas {
    pub(super) nodes: Vec<Node>,
    /// Whether a node asks for what its siblings have evaluated.
    pub(super) tracks_evaluated: bool,
    /// Where evaluation can fail nothing may be skipped, so that an error never depends on what is fast.
    pub(super) bounds: Bounds,
}

#[derive(Debug)]
pub(super) enum Node {
    /// Matches everything or nothing.
    Constant(bool),
    Broken(Fault),
    Keywords(Box<Keywords>),
}

/// The keywords of one schema, in the order in which they are evaluated.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// The name of the schema that they belong to, for messages.
    pub(super) owner: Arc<str>,
    pub(super) faults: Faults,
    pub(super) reference: Option<NodeId>,
    pub(super) types: Option<Vec<Type>>,
    pub(super) constant: Option<Value>,
    pub(super) one_of_values: Option<Vec<Value>>,
    pub(super) not: Option<NodeId>,
    pub(super) any_of: Option<Vec<NodeId>>,
    pub(super) all_of: Option<Vec<NodeId>>,
    pub(super) one_of: Option<Vec<NodeId>>,
    pub(super) condition: Option<Condition>,
    pub(super) object: Option<Box<ObjectKeywords>>,
    pub(super) array: Option<Box<ArrayKeywords>>,
    pub(super) number: Option<Box<NumberKeywords>>,
    pub(super) string: Option<Box<StringKeywords>>,
}

/// Keywords that cannot be evaluated, by the kind of value that they would be evaluated for.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) any: Option<Fault>,
    pub(super) object: Option<Fault>,
    pub(super) array: Option<Fault>,
    pub(super) string: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: NodeId,
    pub(super) then: Option<NodeId>,
    pub(super) otherwise: Option<NodeId>,
}

#[derive(Debug, Default)]
pub(super) struct ObjectKeywords {
    pub(super) required: Vec<String>,
    pub(super) min_properties: Option<f64>,
    pub(super) max_properties: Option<f64>,
    pub(super) property_names: Option<NodeId>,
    pub(super) dependent_required: Vec<(String, Vec<String>)>,
    pub(super) dependent_schemas: Vec<(String, NodeId)>,
    pub(super) properties: Vec<(String, NodeId)>,
    pub(super) pattern_properties: Vec<(Result<OwnedPattern, Fault>, NodeId)>,
    pub(super) additional: Option<NodeId>,
    pub(super) unevaluated: Option<NodeId>,
}

#[derive(Debug, Default)]
pub(super) struct ArrayKeywords {
    pub(super) min_items: Option<f64>,
    pub(super) max_items: Option<f64>,
    pub(super) prefix: Vec<NodeId>,
    pub(super) items: Option<NodeId>,
    pub(super) contains: Option<Contains>,
    pub(super) unevaluated: Option<NodeId>,
    pub(super) unique: bool,
}

#[derive(Debug)]
pub(super) struct Contains {
    pub(super) schema: NodeId,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct NumberKeywords {
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    pub(super) exclusive_maximum: Option<f64>,
    pub(super) multiple_of: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct StringKeywords {
    pub(super) min_length: Option<f64>,
    pub(super) max_length: Option<f64>,
    pub(super) pattern: Option<OwnedPattern>,
    pub(super) format: Option<Format>,
}

impl Schemas {
    /// A keyword that cannot be evaluated, wherever it stands.
    pub(in crate::permissions) fn first_fault(&self) -> Option<&Fault> {
        self.nodes.iter().find_map(|node| match node {
            Node::Constant(_) => None,
            Node::Broken(fault) => Some(fault),
            Node::Keywords(keywords) => keywords.first_fault(),
        })
    }
}

/// A pattern of the schema `owner`.
#[derive(Debug)]
pub(super) struct OwnedPattern {
    pub(super) owner: Arc<str>,
    pub(super) pattern: Pattern,
}

impl OwnedPattern {
    pub(super) fn is_match(&self, text: &str) -> Result<bool, Fault> {
        self.counted(text).0
    }

    /// The same, and the steps of backtracking that it took.
    pub(super) fn counted(&self, text: &str) -> (Result<bool, Fault>, u32) {
        let (found, steps) = self.pattern.counted(text);
        let found = found.map_err(|TooCostly| Fault {
            schema: self.owner.to_string(),
            detail: "its pattern takes too long on this request; simplify its lookarounds or backreferences".to_owned(),
        });
        (found, steps)
    }
}

impl Keywords {
    /// The first of these keywords that cannot be evaluated.
    pub(super) fn first_fault(&self) -> Option<&Fault> {
        let Faults {
            any,
            object,
            array,
            string,
        } = &self.faults;
        let names = self
            .object
            .iter()
            .flat_map(|object| &object.pattern_properties);
        [any, object, array, string]
            .into_iter()
            .flatten()
            .chain(names.filter_map(|(pattern, _)| pattern.as_ref().err()))
            .next()
    }
}

//! From JSON to nodes.

mod keywords;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bounds::Bounds;
use super::node::{Node, NodeId, Schemas, Type};
use super::origins::Origins;
use super::references::Places;
use super::{Fault, Registry, properties};
use keywords::Reader;

const REFERENCE_PREFIX: &str = "#/$defs/";

/// Compiles named schemas into one [`Schemas`], each once.
pub(in crate::permissions) struct Compiler<'a> {
    registry: &'a Registry<'a>,
    schemas: Schemas,
    names: HashMap<String, NodeId>,
    /// The schemas whose properties have been checked.
    checked: HashSet<String>,
    /// Where a part of a schema was compiled to, by its place in memory.
    parts: HashMap<usize, NodeId>,
    places: HashMap<String, Places<'a>>,
    pending: Vec<Part<'a>>,
    /// For every node, which named schema it is a part of, and its source.
    sources: Vec<(Arc<str>, &'a Value)>,
}

/// A part of a schema that has a node and waits to be compiled into it.
struct Part<'a> {
    id: NodeId,
    owner: Arc<str>,
    schema: &'a Value,
    is_root: bool,
}

impl<'a> Compiler<'a> {
    pub(in crate::permissions) fn new(registry: &'a Registry<'a>) -> Self {
        Self {
            registry,
            schemas: Schemas::default(),
            names: HashMap::new(),
            checked: HashSet::new(),
            parts: HashMap::new(),
            places: HashMap::new(),
            pending: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// The node of the schema `name`; `None` when nothing has that name.
    pub(in crate::permissions) fn named(&mut self, name: &str) -> Result<Option<NodeId>, Fault> {
        if let Some(id) = self.names.get(name) {
            return Ok(Some(*id));
        }
        let Some(root) = self.registry.get(name) else {
            return Ok(None);
        };
        properties::check(name, root, self.registry, &mut self.checked)
            .inspect_err(|_| self.checked.clear())?;
        let owner: Arc<str> = name.into();
        let id = self.reserve(&owner, root);
        self.names.insert(name.to_owned(), id);
        self.pending.push(Part {
            id,
            owner,
            schema: root,
            is_root: true,
        });
        while let Some(part) = self.pending.pop() {
            let node = self.node(&part)?;
            if let Some(place) = self.schemas.nodes.get_mut(part.id.0) {
                *place = node;
            }
        }
        Ok(Some(id))
    }

    pub(in crate::permissions) fn finish(mut self) -> Schemas {
        self.schemas.bounds = Bounds::of(&self.schemas.nodes);
        self.schemas
    }

    /// The same, and where in the named schemas each node comes from.
    pub(in crate::permissions) fn finish_with_origins(self) -> (Schemas, Origins) {
        let origins = Origins::of(&self.sources, self.registry);
        (self.finish(), origins)
    }

    fn reserve(&mut self, owner: &Arc<str>, schema: &'a Value) -> NodeId {
        self.sources.push((Arc::clone(owner), schema));
        self.schemas.nodes.push(Node::Constant(false));
        NodeId(self.schemas.nodes.len() - 1)
    }

    /// The node of a part, compiled later: nothing here recurses.
    fn part(&mut self, owner: &Arc<str>, schema: &'a Value) -> NodeId {
        let address = std::ptr::from_ref(schema).addr();
        if let Some(id) = self.parts.get(&address) {
            return *id;
        }
        let id = self.reserve(owner, schema);
        self.parts.insert(address, id);
        self.pending.push(Part {
            id,
            owner: Arc::clone(owner),
            schema,
            is_root: false,
        });
        id
    }

    fn node(&mut self, part: &Part<'a>) -> Result<Node, Fault> {
        let keywords = match part.schema {
            Value::Bool(answer) => return Ok(Node::Constant(*answer)),
            Value::Object(keywords) => keywords,
            _ => {
                return Ok(Node::Broken(Fault {
                    schema: part.owner.to_string(),
                    detail: "a schema must be an object, true or false".to_owned(),
                }));
            }
        };
        let mut reader = Reader {
            owner: Arc::clone(&part.owner),
            schema: part.schema,
            keywords,
            compiler: self,
            fault: None,
        };
        let mut node = reader.read()?;
        if part.is_root && node.types.is_none() {
            node.types = Some(vec![Type::Object]);
        }
        Ok(Node::Keywords(Box::new(node)))
    }

    /// What a `$ref` leads to: a place in the same schema, else a named schema or a place in it. The name must exist;
    /// a place within a schema need not, and is `None` then.
    fn reference(
        &mut self,
        owner: &Arc<str>,
        schema: &'a Value,
        reference: &str,
    ) -> Result<Option<NodeId>, Fault> {
        let fault = |detail| Fault {
            schema: owner.to_string(),
            detail,
        };
        let own = self.places(owner).map_err(fault)?;
        if let Some(target) = own.and_then(|places| places.target(schema)) {
            return Ok(Some(self.place(owner, target)));
        }
        let Some((name, pointer)) = named_place(schema) else {
            return Ok(None);
        };
        let target_owner: Arc<str> = name.into();
        let target = self
            .places(&target_owner)
            .map_err(fault)?
            .and_then(|places| places.at(pointer))
            .ok_or_else(|| fault(format!("'$ref' {reference:?} names no schema")))?;
        Ok(Some(self.place(&target_owner, target)))
    }

    /// A place that is the root of its schema is the schema itself, as a rule would use it.
    fn place(&mut self, owner: &Arc<str>, target: &'a Value) -> NodeId {
        if let Some(id) = self.names.get(&**owner)
            && self
                .registry
                .get(owner)
                .is_some_and(|root| std::ptr::eq(root, target))
        {
            return *id;
        }
        self.part(owner, target)
    }

    fn places(&mut self, name: &str) -> Result<Option<&Places<'a>>, String> {
        let Some(root) = self.registry.get(name) else {
            return Ok(None);
        };
        Ok(Some(match self.places.entry(name.to_owned()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Places::of(root)?),
        }))
    }
}

/// The name of the schema in `{"$ref": "#/$defs/<name>"}`, and the pointer that follows it, if any.
pub(super) fn named_place(schema: &Value) -> Option<(String, &str)> {
    let reference = schema
        .get("$ref")?
        .as_str()?
        .strip_prefix(REFERENCE_PREFIX)?;
    let (name, pointer) = reference.split_at(reference.find('/').unwrap_or(reference.len()));
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    Some((decoded.replace("~1", "/").replace("~0", "~"), pointer))
}

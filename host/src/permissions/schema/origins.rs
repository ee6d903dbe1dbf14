//! Where the nodes of compiled schemas come from: the named schema, and the place in it.
//!
//! Evaluation knows nothing of this; it is worked out once, from the addresses of what was compiled, for whoever explains
//! an answer.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Registry;
use super::node::NodeId;

/// One place in a named schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) schema: Arc<str>,
    /// A JSON pointer from the root of the schema.
    pub(super) pointer: String,
}

/// The origin of every node that was compiled together.
#[derive(Debug, Default)]
pub(in crate::permissions) struct Origins {
    by_node: Vec<Origin>,
    roots: HashMap<Arc<str>, Value>,
}

impl Origins {
    /// `sources` has for every node the schema that it is a part of and what it was compiled from.
    pub(super) fn of(sources: &[(Arc<str>, &Value)], registry: &Registry<'_>) -> Self {
        let mut roots = HashMap::new();
        let mut pointers = HashMap::new();
        for (owner, _) in sources {
            if !roots.contains_key(owner)
                && let Some(root) = registry.get(owner)
            {
                note_places(root, &mut pointers);
                roots.insert(Arc::clone(owner), root.clone());
            }
        }
        let by_node = sources
            .iter()
            .map(|(owner, source)| Origin {
                schema: Arc::clone(owner),
                pointer: pointers.get(&address(source)).cloned().unwrap_or_default(),
            })
            .collect();
        Self { by_node, roots }
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Origin> {
        self.by_node.get(id.0)
    }

    /// What stands at a place, as the file has it.
    pub(super) fn source(&self, origin: &Origin) -> Option<&Value> {
        self.roots.get(&origin.schema)?.pointer(&origin.pointer)
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Every value of a document by its address in memory.
fn note_places(root: &Value, pointers: &mut HashMap<usize, String>) {
    let mut pending = vec![(root, String::new())];
    while let Some((value, pointer)) = pending.pop() {
        match value {
            Value::Object(members) => pending.extend(
                members
                    .iter()
                    .map(|(name, member)| (member, below(&pointer, name))),
            ),
            Value::Array(items) => pending.extend(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| (item, format!("{pointer}/{index}"))),
            ),
            _ => {}
        }
        pointers.insert(address(value), pointer);
    }
}

/// The pointer to the member `name` of what is at `pointer`.
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

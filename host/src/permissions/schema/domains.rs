//! The domains that a schema is limited to.

use serde_json::Value;

use super::node::{Keywords, Node, NodeId, Schemas};

/// How far [`Schemas::domains`] looks into references and combinations.
const DOMAIN_DEPTH: usize = 4;

impl Schemas {
    /// The domains outside of which the schema at `id` matches no request for certain, if it says so plainly. Evaluating
    /// it elsewhere is pointless, unless that could fail.
    pub(in crate::permissions) fn domains(&self, id: NodeId) -> Option<Vec<&str>> {
        if self.can_fail {
            return None;
        }
        self.domains_within(id, DOMAIN_DEPTH)
    }

    fn domains_within(&self, id: NodeId, depth: usize) -> Option<Vec<&str>> {
        let keywords = self.keywords(id)?;
        let property = keywords.object.as_ref().and_then(|object| {
            let (_, domain) = object
                .properties
                .iter()
                .find(|(name, _)| name == "domain")?;
            let domain = self.keywords(*domain)?;
            match (&domain.constant, &domain.one_of_values) {
                (Some(value), _) => Some(value.as_str().into_iter().collect()),
                (None, Some(values)) => Some(values.iter().filter_map(Value::as_str).collect()),
                (None, None) => None,
            }
        });
        // Every one of these must match, so the first that is limited limits the whole.
        let depth = depth.checked_sub(1)?;
        let parts = keywords
            .reference
            .iter()
            .chain(keywords.all_of.iter().flatten());
        property.or_else(|| {
            parts
                .into_iter()
                .find_map(|part| self.domains_within(*part, depth))
        })
    }

    fn keywords(&self, id: NodeId) -> Option<&Keywords> {
        match self.nodes.get(id.0) {
            Some(Node::Keywords(keywords)) => Some(keywords),
            _ => None,
        }
    }
}

//! The domains that a schema is limited to.

use serde_json::Value;

use super::node::{Keywords, Node, NodeId, Schemas};

/// How many schemas deep [`Schemas::domains`] follows references and combinations.
const MAX_DEPTH: usize = 4;

impl Schemas {
    /// The domains outside of which the schema at `id` matches no request for certain, if it says so plainly. Evaluating
    /// it elsewhere is pointless, unless that could fail.
    pub(in crate::permissions) fn domains(&self, id: NodeId) -> Option<Vec<&str>> {
        if self.can_fail {
            return None;
        }
        self.domains_within(id, MAX_DEPTH)
    }

    fn domains_within(&self, id: NodeId, depth: usize) -> Option<Vec<&str>> {
        let depth = depth.checked_sub(1)?;
        let keywords = self.keywords(id)?;
        // Every one of these must match, so the first that is limited limits the whole.
        let mut parts = keywords
            .reference
            .iter()
            .chain(keywords.all_of.iter().flatten());
        self.own_domains(keywords)
            .or_else(|| parts.find_map(|part| self.domains_within(*part, depth)))
    }

    /// What a schema itself says of the property `domain`.
    fn own_domains<'a>(&'a self, keywords: &'a Keywords) -> Option<Vec<&'a str>> {
        let properties = &keywords.object.as_ref()?.properties;
        let (_, domain) = properties.iter().find(|(name, _)| name == "domain")?;
        let domain = self.keywords(*domain)?;
        match (&domain.constant, &domain.one_of_values) {
            (Some(value), _) => Some(value.as_str().into_iter().collect()),
            (None, Some(values)) => Some(values.iter().filter_map(Value::as_str).collect()),
            (None, None) => None,
        }
    }

    fn keywords(&self, id: NodeId) -> Option<&Keywords> {
        match self.nodes.get(id.0) {
            Some(Node::Keywords(keywords)) => Some(keywords),
            _ => None,
        }
    }
}

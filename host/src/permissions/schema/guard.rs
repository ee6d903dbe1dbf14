//! What a request must look like for a schema to match it.
//!
//! A [`Guard`] is a condition that every matching request meets, told from constants and anchored patterns; meeting it
//! proves nothing. It is what an index of rules is made of.

use serde_json::Value;

use super::node::{Keywords, Node, NodeId, Schemas};
use crate::permissions::pattern::{Edge, Literal};

/// How many schemas are looked at for one guard, and how deep.
const MAX_VISITS: u32 = 512;
const MAX_DEPTH: u32 = 16;
/// With more alternatives than this a guard tells little.
const MAX_ALTERNATIVES: usize = 256;

/// What three properties of a request are limited to, each for itself.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::permissions) struct Guard {
    pub(in crate::permissions) domain: OneOf,
    pub(in crate::permissions) path: OneOf,
    pub(in crate::permissions) method: OneOf,
}

/// What a text is limited to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::permissions) enum OneOf {
    Anything,
    /// Without any of them nothing is possible.
    These(Vec<Literal>),
}

impl Schemas {
    /// The guard of the schema at `id`. Of a schema that might fail it says nothing: that one must be evaluated for every
    /// request.
    pub(in crate::permissions) fn guard(&self, id: NodeId) -> Guard {
        let mut search = Search {
            schemas: self,
            visits: 0,
            depth: 0,
        };
        if self.bounds.is_certain(id) {
            search.visit(id, Search::of_request)
        } else {
            Guard::anything()
        }
    }
}

/// A condition that a value must meet to match a schema.
trait Condition: Sized {
    fn anything() -> Self;
    fn nothing() -> Self;
    /// Where both hold.
    fn and(self, other: Self) -> Self;
    /// Where either holds.
    fn or(self, other: Self) -> Self;
}

impl Condition for OneOf {
    fn anything() -> Self {
        Self::Anything
    }

    fn nothing() -> Self {
        Self::These(Vec::new())
    }

    /// Either of them will do: the one that tells more.
    fn and(self, other: Self) -> Self {
        if self.selectivity() >= other.selectivity() {
            self
        } else {
            other
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::These(mut these), Self::These(others))
                if these.len() + others.len() <= MAX_ALTERNATIVES =>
            {
                these.extend(others);
                Self::These(these)
            }
            _ => Self::Anything,
        }
    }
}

impl OneOf {
    fn of(these: impl Iterator<Item = Literal>) -> Self {
        let these: Vec<_> = these.take(MAX_ALTERNATIVES + 1).collect();
        let is_free = these.contains(&Literal::Edge(Vec::new()));
        if is_free || these.len() > MAX_ALTERNATIVES {
            return Self::Anything;
        }
        Self::These(these)
    }

    /// Nothing at all, then whole texts (the fewer the better), then edges (the longer the better).
    fn selectivity(&self) -> (u8, usize) {
        let Self::These(these) = self else {
            return (0, 0);
        };
        let edges = these.iter().filter_map(|literal| match literal {
            Literal::Whole(_) => None,
            Literal::Edge(edge) => Some(edge.len()),
        });
        match edges.min() {
            Some(shortest) => (1, shortest),
            None => (2, usize::MAX - these.len()),
        }
    }
}

impl Condition for Guard {
    fn anything() -> Self {
        Self {
            domain: OneOf::anything(),
            path: OneOf::anything(),
            method: OneOf::anything(),
        }
    }

    fn nothing() -> Self {
        Self {
            domain: OneOf::nothing(),
            path: OneOf::nothing(),
            method: OneOf::nothing(),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            domain: self.domain.and(other.domain),
            path: self.path.and(other.path),
            method: self.method.and(other.method),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            domain: self.domain.or(other.domain),
            path: self.path.or(other.path),
            method: self.method.or(other.method),
        }
    }
}

struct Search<'a> {
    schemas: &'a Schemas,
    visits: u32,
    depth: u32,
}

impl Search<'_> {
    /// The condition of the schema at `id` and of those that it is combined of; `own` says what its own keywords ask for.
    fn visit<C: Condition>(
        &mut self,
        id: NodeId,
        own: impl Fn(&mut Self, &Keywords) -> C + Copy,
    ) -> C {
        self.visits += 1;
        if self.visits > MAX_VISITS || self.depth >= MAX_DEPTH {
            return C::anything();
        }
        let keywords = match self.schemas.nodes.get(id.0) {
            Some(Node::Constant(false)) => return C::nothing(),
            Some(Node::Keywords(keywords)) => keywords,
            Some(Node::Constant(true) | Node::Broken(_)) | None => return C::anything(),
        };
        self.depth += 1;
        let mut condition = own(self, keywords);
        for part in keywords
            .reference
            .iter()
            .chain(keywords.all_of.iter().flatten())
        {
            condition = condition.and(self.visit(*part, own));
        }
        for branches in [&keywords.any_of, &keywords.one_of].into_iter().flatten() {
            let mut any = C::nothing();
            for branch in branches {
                any = any.or(self.visit(*branch, own));
            }
            condition = condition.and(any);
        }
        self.depth -= 1;
        condition
    }

    fn of_request(&mut self, keywords: &Keywords) -> Guard {
        let mut guard = Guard::anything();
        let object = keywords.object.as_deref();
        for (name, property) in object.iter().flat_map(|object| &object.properties) {
            // A request always has these three, and each is a text.
            let (place, edge) = match name.as_str() {
                "domain" => (&mut guard.domain, Edge::End),
                "path" => (&mut guard.path, Edge::Start),
                "method" => (&mut guard.method, Edge::Start),
                _ => continue,
            };
            *place = self.visit(*property, |_: &mut Self, keywords: &Keywords| {
                of_text(keywords, edge)
            });
        }
        guard
    }
}

fn of_text(keywords: &Keywords, edge: Edge) -> OneOf {
    let whole = |value: &Value| value.as_str().map(|text| Literal::Whole(text.into()));
    let values = |values: &[Value]| OneOf::of(values.iter().filter_map(whole));
    let pattern = keywords
        .string
        .as_ref()
        .and_then(|string| string.pattern.as_ref());
    let literals = pattern.and_then(|pattern| pattern.pattern.literals(edge));
    let constant = keywords.constant.as_ref().map(std::slice::from_ref);
    constant
        .map_or(OneOf::Anything, values)
        .and(
            keywords
                .one_of_values
                .as_deref()
                .map_or(OneOf::Anything, values),
        )
        .and(literals.map_or(OneOf::Anything, |literals| OneOf::of(literals.into_iter())))
}

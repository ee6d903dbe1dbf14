//! Values under texts, or under the beginnings or ends of texts.

use std::collections::{BTreeMap, HashMap};

use crate::permissions::pattern::Literal;
use crate::permissions::schema::OneOf;

/// A table that is being filled.
#[derive(Debug, Default)]
pub(super) struct Builder<T> {
    whole: HashMap<Vec<u8>, T>,
    edges: BTreeMap<Vec<u8>, T>,
    anywhere: T,
}

/// What can be looked up by a text.
#[derive(Debug)]
pub(super) struct Table<T> {
    whole: HashMap<Vec<u8>, T>,
    /// Sorted; ends are written backwards.
    edges: Vec<Edge<T>>,
    anywhere: T,
}

#[derive(Debug)]
struct Edge<T> {
    text: Vec<u8>,
    /// The longest of the edges that this one has as its own edge.
    outer: Option<usize>,
    value: T,
}

impl<T: Default> Builder<T> {
    /// Gives out the value under each of the literals, in no particular order.
    pub(super) fn each(&mut self, literals: &OneOf, fill: &mut impl FnMut(&mut T)) {
        let OneOf::These(literals) = literals else {
            fill(&mut self.anywhere);
            return;
        };
        let mut literals: Vec<_> = literals.iter().collect();
        literals.sort_unstable();
        literals.dedup();
        for literal in literals {
            match literal {
                Literal::Whole(text) => fill(self.whole.entry(text.clone()).or_default()),
                Literal::Edge(text) => fill(self.edges.entry(text.clone()).or_default()),
            }
        }
    }

    /// For texts whose beginnings were given.
    pub(super) fn build_by_start<U>(self, build: impl Fn(T) -> U) -> Table<U> {
        self.build(build)
    }

    /// For texts whose ends were given.
    pub(super) fn build_by_end<U>(mut self, build: impl Fn(T) -> U) -> Table<U> {
        let edges = std::mem::take(&mut self.edges).into_iter();
        self.edges = edges
            .map(|(text, value)| (backwards(&text), value))
            .collect();
        self.build(build)
    }

    fn build<U>(self, build: impl Fn(T) -> U) -> Table<U> {
        let mut edges: Vec<Edge<U>> = Vec::with_capacity(self.edges.len());
        for (text, value) in self.edges {
            // Whatever begins like this one and comes before it is among the outer ones of the one just before it.
            let mut outer = edges.len().checked_sub(1);
            while let Some(candidate) = outer.and_then(|place| edges.get(place)) {
                if text.starts_with(&candidate.text) {
                    break;
                }
                outer = candidate.outer;
            }
            edges.push(Edge {
                text,
                outer,
                value: build(value),
            });
        }
        let whole = self.whole.into_iter();
        Table {
            whole: whole.map(|(text, value)| (text, build(value))).collect(),
            edges,
            anywhere: build(self.anywhere),
        }
    }
}

impl<T> Table<T> {
    /// Gives out the values for `text` in a table of beginnings.
    pub(super) fn by_start<'a>(&'a self, text: &str, found: &mut impl FnMut(&'a T)) {
        self.look_up(text.as_bytes(), |text| self.innermost(text), found);
    }

    /// Gives out the values for `text` in a table of ends.
    pub(super) fn by_end<'a>(&'a self, text: &str, found: &mut impl FnMut(&'a T)) {
        self.look_up(
            text.as_bytes(),
            |text| self.innermost(&backwards(text)),
            found,
        );
    }

    fn look_up<'a>(
        &'a self,
        text: &[u8],
        innermost: impl FnOnce(&[u8]) -> Option<usize>,
        found: &mut impl FnMut(&'a T),
    ) {
        found(&self.anywhere);
        if !self.whole.is_empty()
            && let Some(value) = self.whole.get(text)
        {
            found(value);
        }
        if self.edges.is_empty() {
            return;
        }
        let mut edge = innermost(text);
        while let Some(Edge { outer, value, .. }) = edge.and_then(|place| self.edges.get(place)) {
            found(value);
            edge = *outer;
        }
    }

    /// The longest edge that `text` begins with.
    fn innermost(&self, text: &[u8]) -> Option<usize> {
        let after = self
            .edges
            .partition_point(|edge| edge.text.as_slice() <= text);
        let mut place = after.checked_sub(1);
        while let Some(edge) = place.and_then(|place| self.edges.get(place)) {
            if text.starts_with(&edge.text) {
                return place;
            }
            place = edge.outer;
        }
        None
    }
}

fn backwards(text: &[u8]) -> Vec<u8> {
    text.iter().rev().copied().collect()
}

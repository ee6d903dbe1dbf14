//! Which of many schemas can match a request at all, found without evaluating the others.
//!
//! Every schema is kept under what its guard says of the domain and, below that, of the path; what it says of neither is
//! kept apart and is a candidate for every request. Candidates come in the order of the list, so that whoever tries them
//! one after the other gets the match, or the failure, that trying the whole list would give.

mod table;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::pattern::Literal;
use super::request::Request;
use super::schema::{NodeId, OneOf, Schemas};
use table::{Builder, Table};

/// A schema under more keys than this is kept under its domain, or its path, alone.
const MAX_KEYS: usize = 256;

/// An index of a list of schemas by their place in it.
#[derive(Debug)]
pub(super) struct RuleIndex(Table<Table<Vec<Entry>>>);

/// A place in the list, and the methods that are worth a try there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    place: usize,
    methods: Methods,
}

/// A set of methods; those without a bit of their own share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Methods(u8);

impl RuleIndex {
    pub(super) fn of(list: impl Iterator<Item = NodeId>, schemas: &Schemas) -> Self {
        let mut domains: Builder<Builder<Vec<Entry>>> = Builder::default();
        let mut seen = HashSet::new();
        for (place, id) in list.enumerate() {
            // What has been tried would give the same answer again.
            if !seen.insert(id) {
                continue;
            }
            let guard = schemas.guard(id);
            let entry = Entry {
                place,
                methods: Methods::of(&guard.method),
            };
            let path = match (&guard.domain, &guard.path) {
                (OneOf::These(domains), OneOf::These(paths))
                    if domains.len().saturating_mul(paths.len()) > MAX_KEYS =>
                {
                    &OneOf::Anything
                }
                (_, path) => path,
            };
            domains.each(&guard.domain, &mut |paths| {
                paths.each(path, &mut |entries| entries.push(entry));
            });
        }
        Self(domains.build_by_end(|paths| paths.build_by_start(|entries| entries)))
    }

    /// The places to try for `request`, ascending.
    pub(super) fn candidates(&self, request: &Request) -> impl Iterator<Item = usize> {
        let mut lists = BinaryHeap::new();
        self.0.by_end(request.domain(), &mut |paths| {
            paths.by_start(request.path(), &mut |entries| {
                lists.push(Reverse(entries.as_slice()));
            });
        });
        let method = Methods::one(request.method().as_bytes());
        let mut last = None;
        std::iter::from_fn(move || {
            loop {
                let Reverse(list) = lists.pop()?;
                let Some((entry, rest)) = list.split_first() else {
                    continue;
                };
                lists.push(Reverse(rest));
                if entry.methods.0 & method.0 != 0 && last.replace(entry.place) != Some(entry.place)
                {
                    return Some(entry.place);
                }
            }
        })
    }
}

impl Methods {
    fn of(methods: &OneOf) -> Self {
        match methods {
            OneOf::Anything => Self(u8::MAX),
            OneOf::These(methods) => Self(methods.iter().fold(0, |all, method| {
                all | match method {
                    Literal::Whole(method) => Self::one(method).0,
                    Literal::Edge(_) => u8::MAX,
                }
            })),
        }
    }

    fn one(method: &[u8]) -> Self {
        Self(match method {
            b"GET" => 1,
            b"HEAD" => 2,
            b"POST" => 4,
            b"PUT" => 8,
            b"PATCH" => 16,
            b"DELETE" => 32,
            b"OPTIONS" => 64,
            _ => 128,
        })
    }
}

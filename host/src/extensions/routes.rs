//! Which extension answers a request: every manifest's routes in one table.
//!
//! The most specific route wins: a literal segment before `{name}` before `{*name}`, from the left; then a method before
//! `*`; then a route that requires a query parameter before one that does not. Two extensions that claim the same route are
//! an error that names both, and so is a route that would take requests away from an extension that came with the gateway.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use super::report::Origin;
use super::worlds::Route as RouteDeclaration;

/// Why a set of routes makes no table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error(
        "the route pattern '{pattern}' is malformed: it must start with '/', and a segment is literal, '{{name}}', or at the end '{{*name}}'"
    )]
    Malformed { pattern: String },
    #[error("the extensions '{first}' and '{second}' both serve {route}: remove one of them")]
    ClaimedTwice {
        route: String,
        first: String,
        second: String,
    },
    #[error(
        "the route {route} of '{owner}' would take requests from {other} of '{other_owner}', which came with the gateway: choose another path"
    )]
    Squats {
        route: String,
        owner: String,
        other: String,
        other_owner: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

/// A path pattern of the manifest. Parameter names are for people and play no part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pattern(Vec<Segment>);

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Result<Self, RouteError> {
        let malformed = || RouteError::Malformed {
            pattern: pattern.to_owned(),
        };
        let segments = pattern.strip_prefix('/').ok_or_else(malformed)?;
        let mut parsed = Vec::new();
        let mut remaining = segments.split('/').peekable();
        while let Some(segment) = remaining.next() {
            let parameter = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            parsed.push(match parameter {
                Some("" | "*") => return Err(malformed()),
                Some(name) if name.starts_with('*') && remaining.peek().is_some() => {
                    return Err(malformed());
                }
                Some(name) if name.starts_with('*') => Segment::Rest,
                Some(_) => Segment::One,
                None if segment.contains(['{', '}']) => return Err(malformed()),
                None => Segment::Literal(segment.to_owned()),
            });
        }
        Ok(Self(parsed))
    }

    fn is_literal(&self) -> bool {
        self.0
            .iter()
            .all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Whether there is a path that both match.
    fn overlaps(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.0.iter(), other.0.iter());
        loop {
            match (own.next(), others.next()) {
                (None, None) => return true,
                (None, _) | (_, None) => return false,
                // The rest of a path is anything but nothing.
                (Some(Segment::Rest), Some(first)) => return !is_nothing(first, others.as_slice()),
                (Some(first), Some(Segment::Rest)) => return !is_nothing(first, own.as_slice()),
                (Some(Segment::Literal(one)), Some(Segment::Literal(other))) if one != other => {
                    return false;
                }
                (Some(Segment::Literal(literal)), Some(Segment::One))
                | (Some(Segment::One), Some(Segment::Literal(literal)))
                    if literal.is_empty() =>
                {
                    return false;
                }
                (Some(_), Some(_)) => {}
            }
        }
    }

    fn matches(&self, path: &str) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else {
            return false;
        };
        let mut segments = self.0.iter().peekable();
        while let Some(segment) = segments.next() {
            let (head, tail) = rest
                .split_once('/')
                .map_or((rest, None), |(head, tail)| (head, Some(tail)));
            match segment {
                Segment::Rest => return !rest.is_empty(),
                Segment::Literal(literal) if literal != head => return false,
                Segment::One if head.is_empty() => return false,
                Segment::Literal(_) | Segment::One => {}
            }
            match (tail, segments.peek().is_some()) {
                (Some(tail), true) => rest = tail,
                (None, false) => return true,
                (Some(_), false) | (None, true) => return false,
            }
        }
        false
    }
}

/// Whether these last segments match the empty text alone.
fn is_nothing(first: &Segment, more: &[Segment]) -> bool {
    more.is_empty() && matches!(first, Segment::Literal(literal) if literal.is_empty())
}

/// One route of one extension, `T` being what serves it.
#[derive(Debug)]
struct Entry<T> {
    pattern: Pattern,
    method: Option<String>,
    query_parameter: Option<String>,
    streaming: bool,
    owner: String,
    origin: Origin,
    /// The pattern as its owner wrote it.
    path: String,
    target: T,
}

impl<T> Entry<T> {
    fn key(&self) -> (&Pattern, Reverse<&Option<String>>, Reverse<&Option<String>>) {
        (
            &self.pattern,
            Reverse(&self.method),
            Reverse(&self.query_parameter),
        )
    }

    fn accepts(&self, method: &str, query: Option<&str>) -> bool {
        self.method.as_deref().is_none_or(|own| own == method)
            && self
                .query_parameter
                .as_deref()
                .is_none_or(|name| has_parameter(query, name))
    }

    /// Whether there are requests for both that this one gets.
    fn takes_from(&self, other: &Self) -> bool {
        let same_method =
            self.method.is_none() || other.method.is_none() || self.method == other.method;
        // A request can have both of two query parameters.
        same_method && self.key() < other.key() && self.pattern.overlaps(&other.pattern)
    }
}

impl<T> fmt::Display for Entry<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_deref().unwrap_or("*");
        write!(formatter, "'{method} {}'", self.path)?;
        match &self.query_parameter {
            Some(name) => write!(formatter, " with '{name}' in the query"),
            None => Ok(()),
        }
    }
}

fn has_parameter(query: Option<&str>, name: &str) -> bool {
    query.is_some_and(|query| {
        url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == name)
    })
}

/// All routes, the most specific first.
pub(super) struct RouteTable<T> {
    literal: HashMap<String, Vec<Entry<T>>>,
    patterned: Vec<Entry<T>>,
}

impl<T> RouteTable<T> {
    pub(super) fn new() -> Self {
        Self {
            literal: HashMap::new(),
            patterned: Vec::new(),
        }
    }

    /// Adds a route of the extension `owner`. Those of bundled extensions come first: what is added later is compared with
    /// them, and refused when it would get requests that they have so far.
    pub(super) fn insert(
        &mut self,
        owner: &str,
        origin: Origin,
        route: &RouteDeclaration,
        target: T,
    ) -> Result<(), RouteError> {
        let entry = Entry {
            pattern: Pattern::parse(&route.path)?,
            method: (route.method != "*").then(|| route.method.clone()),
            query_parameter: route.query_parameter.clone(),
            streaming: route.streaming,
            owner: owner.to_owned(),
            origin,
            path: route.path.clone(),
            target,
        };
        if origin == Origin::Installed
            && let Some(robbed) = self.entries().find(|other| {
                other.origin == Origin::Bundled && other.owner != owner && entry.takes_from(other)
            })
        {
            return Err(RouteError::Squats {
                route: entry.to_string(),
                owner: entry.owner,
                other: robbed.to_string(),
                other_owner: robbed.owner.clone(),
            });
        }
        let entries = if entry.pattern.is_literal() {
            self.literal.entry(route.path.clone()).or_default()
        } else {
            &mut self.patterned
        };
        match entries.binary_search_by(|other| other.key().cmp(&entry.key())) {
            Ok(taken) => Err(RouteError::ClaimedTwice {
                route: entry.to_string(),
                first: entries
                    .get(taken)
                    .map(|other| other.owner.clone())
                    .unwrap_or_default(),
                second: entry.owner,
            }),
            Err(position) => {
                entries.insert(position, entry);
                Ok(())
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.literal.values().flatten().chain(&self.patterned)
    }

    /// Takes every route of the extension out again.
    pub(super) fn remove_owner(&mut self, owner: &str) {
        self.literal
            .values_mut()
            .chain([&mut self.patterned])
            .for_each(|entries| entries.retain(|entry| entry.owner != owner));
    }

    /// What serves the request, and whether on a streaming route. `path` is percent-encoded.
    pub(super) fn find(&self, method: &str, path: &str, query: Option<&str>) -> Option<(&T, bool)> {
        let literal = self
            .literal
            .get(path)
            .into_iter()
            .flatten()
            .find(|entry| entry.accepts(method, query));
        literal
            .or_else(|| {
                self.patterned
                    .iter()
                    .find(|entry| entry.accepts(method, query) && entry.pattern.matches(path))
            })
            .map(|entry| (&entry.target, entry.streaming))
    }
}

#[cfg(test)]
mod tests;

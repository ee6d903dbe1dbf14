//! Which extension answers a request: every manifest's routes in one table.
//!
//! The most specific route wins: a literal segment before `{name}` before `{*name}`, from the left; then a method before
//! `*`; then a route that requires a query parameter before one that does not. Two extensions that claim the same route are
//! an error that names both.

use std::cmp::Reverse;
use std::collections::HashMap;

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
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

/// A path pattern of the manifest. Parameter names are for people and play no part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// One route of one extension, `T` being what serves it.
#[derive(Debug)]
struct Entry<T> {
    pattern: Pattern,
    method: Option<String>,
    query_parameter: Option<String>,
    streaming: bool,
    owner: String,
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

    fn describe(&self, pattern: &str) -> String {
        let method = self.method.as_deref().unwrap_or("*");
        match &self.query_parameter {
            Some(name) => format!("'{method} {pattern}' with '{name}' in the query"),
            None => format!("'{method} {pattern}'"),
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

    /// Adds a route of the extension `owner`.
    pub(super) fn insert(
        &mut self,
        owner: &str,
        route: &RouteDeclaration,
        target: T,
    ) -> Result<(), RouteError> {
        let entry = Entry {
            pattern: Pattern::parse(&route.path)?,
            method: (route.method != "*").then(|| route.method.clone()),
            query_parameter: route.query_parameter.clone(),
            streaming: route.streaming,
            owner: owner.to_owned(),
            target,
        };
        let entries = if entry.pattern.is_literal() {
            self.literal.entry(route.path.clone()).or_default()
        } else {
            &mut self.patterned
        };
        match entries.binary_search_by(|other| other.key().cmp(&entry.key())) {
            Ok(taken) => Err(RouteError::ClaimedTwice {
                route: entry.describe(&route.path),
                first: entries
                    .get(taken)
                    .map(|other| other.owner.clone())
                    .unwrap_or_default(),
                second: owner.to_owned(),
            }),
            Err(position) => {
                entries.insert(position, entry);
                Ok(())
            }
        }
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
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> RouteDeclaration {
        RouteDeclaration {
            method: method.to_owned(),
            path: path.to_owned(),
            query_parameter: None,
            streaming: false,
        }
    }

    fn table(routes: &[(&str, &str)]) -> RouteTable<String> {
        let mut table = RouteTable::new();
        for (method, path) in routes {
            table
                .insert("x", &route(method, path), format!("{method} {path}"))
                .unwrap();
        }
        table
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let table = table(&[
            ("GET", "/{*all}"),
            ("GET", "/permissions/{name}"),
            ("GET", "/permissions/self"),
            ("GET", "/permissions/{*rest}"),
            ("*", "/permissions/self"),
            ("GET", "/{service}/self"),
        ]);
        for (method, path, expected) in [
            ("GET", "/permissions/self", Some("GET /permissions/self")),
            ("PUT", "/permissions/self", Some("* /permissions/self")),
            ("GET", "/permissions/other", Some("GET /permissions/{name}")),
            ("GET", "/permissions/a/b", Some("GET /permissions/{*rest}")),
            ("GET", "/slack/self", Some("GET /{service}/self")),
            ("GET", "/else", Some("GET /{*all}")),
            ("PUT", "/else", None),
            ("GET", "/", None),
        ] {
            let found = table
                .find(method, path, None)
                .map(|(target, _)| target.as_str());
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn a_parameter_is_one_segment_that_is_not_empty() {
        let table = table(&[("DELETE", "/requests/{id}")]);
        assert!(table.find("DELETE", "/requests/7", None).is_some());
        for path in [
            "/requests/",
            "/requests",
            "/requests/7/",
            "/requests/7/8",
            "requests/7",
            "//requests/7",
        ] {
            assert!(table.find("DELETE", path, None).is_none(), "{path}");
        }
    }

    #[test]
    fn a_route_with_a_query_parameter_goes_before_the_same_one_without() {
        let mut table = table(&[("GET", "/requests")]);
        let follow = RouteDeclaration {
            query_parameter: Some("follow".to_owned()),
            streaming: true,
            ..route("GET", "/requests")
        };
        table.insert("x", &follow, "follow".to_owned()).unwrap();
        assert_eq!(
            table.find("GET", "/requests", Some("a=b&foll%6Fw=1")),
            Some((&"follow".to_owned(), true))
        );
        assert_eq!(
            table.find("GET", "/requests", Some("followed=1")),
            Some((&"GET /requests".to_owned(), false))
        );
    }

    #[test]
    fn two_extensions_that_claim_one_route_are_both_named() {
        let mut table = RouteTable::new();
        table.insert("first", &route("GET", "/a/{x}"), ()).unwrap();
        let error = table
            .insert("second", &route("GET", "/a/{y}"), ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'first'") && error.contains("'second'") && error.contains("GET /a/{y}"),
            "{error}"
        );
    }

    #[test]
    fn a_malformed_pattern_is_refused() {
        for pattern in ["", "a", "/{}", "/{*}", "/{*rest}/a", "/a{b}", "/{a"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}

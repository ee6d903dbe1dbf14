//! What a third party's routes cannot do to those that came with the gateway.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::*;
use super::route;

const BUNDLED: [(&str, &str); 5] = [
    ("GET", "/permissions/self"),
    ("GET", "/permissions/available/{service}"),
    ("DELETE", "/permission-requests/{id}"),
    ("*", "/minds-api-proxy/{*rest}"),
    ("GET", "/permission-requests"),
];

fn table() -> RouteTable<&'static str> {
    let mut table = RouteTable::new();
    for (method, path) in BUNDLED {
        let bundled = route(method, path);
        table
            .insert("bundled", Origin::Bundled, &bundled, "bundled")
            .unwrap();
    }
    table
}

fn squat(method: &str, path: &str, parameter: Option<&str>) -> Result<(), RouteError> {
    let declaration = RouteDeclaration {
        query_parameter: parameter.map(str::to_owned),
        ..route(method, path)
    };
    table().insert("squatter", Origin::Installed, &declaration, "squatter")
}

#[test]
fn a_more_specific_route_is_refused_with_both_named() {
    for (method, path, parameter, robbed) in [
        (
            "GET",
            "/permissions/available/slack",
            None,
            "'GET /permissions/available/{service}'",
        ),
        (
            "DELETE",
            "/permission-requests/7",
            None,
            "'DELETE /permission-requests/{id}'",
        ),
        (
            "POST",
            "/minds-api-proxy/v1/login",
            None,
            "'* /minds-api-proxy/{*rest}'",
        ),
        (
            "*",
            "/minds-api-proxy/{version}/login",
            None,
            "'* /minds-api-proxy/{*rest}'",
        ),
        (
            "GET",
            "/minds-api-proxy/{*rest}",
            None,
            "'* /minds-api-proxy/{*rest}'",
        ),
        (
            "GET",
            "/permission-requests",
            Some("follow"),
            "'GET /permission-requests'",
        ),
    ] {
        let error = squat(method, path, parameter).unwrap_err().to_string();
        let named = format!("'{method} {path}'");
        assert!(
            [&*named, "'squatter'", robbed, "'bundled'"]
                .iter()
                .all(|word| error.contains(word)),
            "{error}"
        );
    }
}

#[test]
fn what_takes_nothing_away_is_served() {
    for (method, path) in [
        ("PUT", "/permission-requests"),
        ("GET", "/permission-requests/{id}"),
        ("*", "/{*everything-else}"),
        ("GET", "/permissions/{other}"),
        ("GET", "/permissions/self/"),
        ("GET", "/minds-api-proxy"),
        ("GET", "/{service}/available/{x}/y"),
    ] {
        assert_eq!(squat(method, path, None), Ok(()), "{method} {path}");
    }
}

#[test]
fn the_same_route_is_refused_with_both_named() {
    let error = squat("DELETE", "/permission-requests/{other}", None).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("'bundled'") && error.contains("'squatter'"),
        "{error}"
    );
}

#[test]
fn one_refused_route_leaves_the_table_as_it_was() {
    let mut table = table();
    let own = route("GET", "/squatter");
    table
        .insert("squatter", Origin::Installed, &own, "squatter")
        .unwrap();
    let theirs = route("GET", "/permissions/available/slack");
    table
        .insert("squatter", Origin::Installed, &theirs, "squatter")
        .unwrap_err();
    table.remove_owner("squatter");
    for (path, expected) in [
        ("/squatter", None),
        ("/permissions/available/slack", Some("bundled")),
    ] {
        let found = table.find("GET", path, None).map(|(target, _)| *target);
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn third_parties_may_be_more_specific_than_each_other() {
    let mut table = RouteTable::new();
    for (owner, path) in [("one", "/a/{x}"), ("two", "/a/b")] {
        table
            .insert(owner, Origin::Installed, &route("GET", path), owner)
            .unwrap();
    }
    assert_eq!(table.find("GET", "/a/b", None), Some((&"two", false)));
}

/// Patterns of up to three segments, of few words, so that they often meet.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["", "a", "b", "{x}"]);
    let rest = prop::option::of(Just("{*rest}"));
    (prop::collection::vec(segment, 0..3), rest)
        .prop_filter("a pattern has a segment", |(segments, rest)| {
            !segments.is_empty() || rest.is_some()
        })
        .prop_map(|(mut segments, rest)| {
            segments.extend(rest);
            format!("/{}", segments.join("/"))
        })
}

fn declaration() -> impl Strategy<Value = RouteDeclaration> {
    let method = prop::sample::select(vec!["*", "GET", "PUT"]);
    let parameter = prop::option::of(prop::sample::select(vec!["p", "q"]));
    (method, pattern(), parameter).prop_map(|(method, path, parameter)| RouteDeclaration {
        query_parameter: parameter.map(str::to_owned),
        ..route(method, &path)
    })
}

/// Every path of up to four segments of the words that the patterns have, and one that they have not.
fn paths() -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..4 {
        paths = paths
            .iter()
            .flat_map(|path| ["", "a", "b", "c"].map(|segment| format!("{path}/{segment}")))
            .collect();
        all.extend(paths.iter().cloned());
    }
    all
}

/// Every kind of request there is to these declarations.
fn requests() -> impl Iterator<Item = (&'static str, String, Option<&'static str>)> {
    paths().into_iter().flat_map(|path| {
        ["GET", "PUT", "POST"].into_iter().flat_map(move |method| {
            let path = path.clone();
            [None, Some("p=1"), Some("q=1"), Some("p=1&q=1")]
                .into_iter()
                .map(move |query| (method, path.clone(), query))
        })
    })
}

/// The table without any precaution.
fn unguarded(routes: &[(&'static str, &RouteDeclaration)]) -> Option<RouteTable<&'static str>> {
    let mut table = RouteTable::new();
    for (owner, declaration) in routes {
        table
            .insert(owner, Origin::Installed, declaration, *owner)
            .ok()?;
    }
    Some(table)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn two_patterns_overlap_when_a_path_matches_both(one in pattern(), other in pattern()) {
        let (one, other) = (Pattern::parse(&one).unwrap(), Pattern::parse(&other).unwrap());
        let meet = paths().iter().any(|path| one.matches(path) && other.matches(path));
        prop_assert_eq!(one.overlaps(&other), meet);
        prop_assert_eq!(other.overlaps(&one), meet);
    }

    #[test]
    fn a_route_is_refused_exactly_when_it_would_take_a_request(
        bundled in declaration(),
        installed in declaration(),
    ) {
        let both = unguarded(&[("bundled", &bundled), ("installed", &installed)]);
        let alone = unguarded(&[("bundled", &bundled)]).unwrap();
        let takes = both.is_none_or(|both| {
            requests().any(|(method, path, query)| {
                alone.find(method, &path, query).is_some()
                    && both.find(method, &path, query).map(|found| *found.0) == Some("installed")
            })
        });
        let mut table = RouteTable::new();
        table.insert("bundled", Origin::Bundled, &bundled, ()).unwrap();
        let inserted = table.insert("installed", Origin::Installed, &installed, ());
        prop_assert_eq!(inserted.is_err(), takes, "{:?}", inserted);
    }

    #[test]
    fn no_request_of_a_bundled_route_goes_elsewhere(
        bundled in prop::collection::vec(declaration(), 1..5),
        installed in prop::collection::vec(declaration(), 1..5),
    ) {
        let mut table = RouteTable::new();
        let mut before = RouteTable::new();
        for (number, declaration) in bundled.iter().enumerate() {
            let inserted = table.insert("bundled", Origin::Bundled, declaration, number);
            prop_assert_eq!(inserted.is_ok(), before.insert("bundled", Origin::Bundled, declaration, number).is_ok());
        }
        let mut refused = BTreeSet::new();
        for (number, declaration) in installed.iter().enumerate() {
            if table.insert("installed", Origin::Installed, declaration, 100 + number).is_err() {
                refused.insert(100 + number);
            }
        }
        for (method, path, query) in requests() {
            let after = table.find(method, &path, query).map(|found| *found.0);
            if let Some((target, _)) = before.find(method, &path, query) {
                prop_assert_eq!(after, Some(*target), "{} {} {:?}", method, path, query);
            }
            prop_assert!(after.is_none_or(|target| !refused.contains(&target)));
        }
    }
}

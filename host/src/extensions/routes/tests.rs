mod squatting;

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
            .insert(
                "x",
                Origin::Installed,
                &route(method, path),
                format!("{method} {path}"),
            )
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
    table
        .insert("x", Origin::Installed, &follow, "follow".to_owned())
        .unwrap();
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
    table
        .insert("first", Origin::Installed, &route("GET", "/a/{x}"), ())
        .unwrap();
    let error = table
        .insert("second", Origin::Installed, &route("GET", "/a/{y}"), ())
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

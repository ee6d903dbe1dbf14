//! Findings about what schemas restrict: patterns, values, and what may be left out.

use serde_json::json;

use super::{Scene, at, found, granting, one};
use crate::permissions::lint::Code;

#[test]
fn patterns_that_let_too_much_through_are_found_with_an_example() {
    for (property, pattern, code, part) in [
        (
            "domain",
            "github.com",
            Code::UnanchoredPattern,
            "evilgithub.com",
        ),
        (
            "domain",
            r"^api\.github\.com",
            Code::UnanchoredPattern,
            "api.github.com.evil.example",
        ),
        (
            "domain",
            r"github\.com$",
            Code::UnanchoredPattern,
            "evilgithub.com",
        ),
        (
            "path",
            "^/v1/charges",
            Code::UnanchoredPattern,
            "/v1/charges-other",
        ),
        (
            "path",
            "/repos/me$",
            Code::UnanchoredPattern,
            "/other/repos/me",
        ),
        ("path", "^/a$|/b", Code::UnanchoredPattern, "neither"),
        (
            "domain",
            "^api.github.com$",
            Code::UnescapedDot,
            "apixgithubxcom",
        ),
        ("path", ".*", Code::MatchesEverything, "every path"),
        ("path", "^/", Code::MatchesEverything, "every path"),
        ("domain", "^.*$", Code::MatchesEverything, "every domain"),
        ("method", "", Code::MatchesEverything, "every method"),
        ("path", "^/a(?!/b).*$", Code::BacktrackingPattern, "slower"),
    ] {
        let findings = Scene::new().lint(&granting(&at(property, json!({"pattern": pattern}))));
        let finding = findings.iter().find(|finding| finding.code == code);
        let finding = finding.unwrap_or_else(|| panic!("{pattern}: {findings:#?}"));
        assert!(finding.message.contains(part), "{finding:?}");
        assert_eq!(
            finding.place,
            format!("#/schemas/it/properties/{property}/pattern")
        );
    }
}

#[test]
fn patterns_that_say_what_they_mean_are_no_finding() {
    for (property, pattern) in [
        ("domain", r"^api\.github\.com$"),
        ("domain", r"(^|\.)github\.com$"),
        ("domain", r"\.github\.com$"),
        ("domain", r"^[a-z]+\.amazonaws\.com$"),
        ("path", "^/api/.*$"),
        ("path", "^/api/.*"),
        ("path", "^/api(/|$)"),
        ("path", "^(/a|/b/[^/]+)$"),
        ("method", "^(GET|HEAD)$"),
        ("body", "token"),
    ] {
        let codes = found(&granting(&at(property, json!({"pattern": pattern}))));
        assert_eq!(codes, [], "{pattern}");
    }
    let denied =
        json!({"properties": {"path": {"not": {"pattern": "/admin"}}}, "required": ["path"]});
    assert_eq!(found(&granting(&denied)), []);
}

#[test]
fn restrictions_that_an_absent_property_passes_are_found() {
    for (schema, place) in [
        (
            json!({"properties": {"parsedBody": {"const": 1}}}),
            "/properties/parsedBody",
        ),
        (
            json!({"properties": {"headers": {"properties": {"x-a": {"const": "1"}}}}}),
            "/properties/headers/properties/x-a",
        ),
        (
            json!({"properties": {"queryParams": {"properties": {"q": {"pattern": "a"}}}}}),
            "/properties/queryParams/properties/q",
        ),
        (
            at(
                "parsedBody",
                json!({"properties": {"query": {"pattern": "a"}}}),
            ),
            "/properties/parsedBody/properties/query",
        ),
        (
            json!({"anyOf": [{"properties": {"body": {"pattern": "a"}}}]}),
            "/anyOf/0/properties/body",
        ),
    ] {
        let expected = vec![(Code::OptionalProperty, format!("#/schemas/it{place}"))];
        assert_eq!(found(&granting(&schema)), expected, "{schema}");
    }
    for schema in [
        json!({"properties": {"path": {"const": "/a"}}}),
        json!({"required": ["parsedBody"], "anyOf": [{"properties": {"parsedBody": {"const": 1}}}]}),
        json!({"allOf": [{"required": ["body"]}, {"properties": {"body": {"pattern": "a"}}}]}),
        json!({"properties": {"queryParams": {"properties": {"admin": false}}}}),
        json!({"properties": {"parsedBody": {"not": {"const": 1}}}}),
        json!({"not": {"properties": {"parsedBody": {"const": 1}}}}),
        json!({"properties": {"parsedBody": {"description": "any"}}}),
    ] {
        assert_eq!(found(&granting(&schema)), [], "{schema}");
    }
}

#[test]
fn a_pattern_that_forgets_how_paths_are_sent_grants_nothing() {
    let content = granting(&at("path", json!({"pattern": "^/my files/.*$"})));
    let codes: Vec<_> = found(&content).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::ImpossibleValue, Code::GrantsNothing]);
}

#[test]
fn values_that_no_request_has_are_found() {
    let finding = one(&granting(&at("method", json!({"enum": ["GET", "post"]}))));
    assert_eq!(
        (finding.code, finding.place.as_str()),
        (
            Code::ImpossibleValue,
            "#/schemas/it/properties/method/enum/1"
        )
    );
    let headers = at(
        "headers",
        json!({"properties": {"X-A": {"const": "1"}}, "required": ["X-A"]}),
    );
    let finding = one(&granting(&headers));
    assert!(finding.advice.contains("x-a"), "{finding:?}");
}

#[test]
fn a_wildcard_in_a_domain_is_found_though_a_host_may_be_called_that() {
    let finding = one(&granting(&at("domain", json!({"const": "*.github.com"}))));
    assert_eq!(finding.code, Code::ImpossibleValue);
    assert!(finding.message.contains("literally"), "{finding:?}");
}

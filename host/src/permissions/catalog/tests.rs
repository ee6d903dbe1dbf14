//! The names, what clients see of them, and the check of an edited catalog file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Catalog, Service, validate};

/// The names that existing permissions files use: an interface, so kept as a copy that does not follow the sources.
const NAMES: &str = include_str!("names.json");

#[derive(Debug, Deserialize, PartialEq)]
struct NamedScope {
    scope: String,
    display_name: String,
    permissions: Vec<String>,
}

fn expected_names() -> BTreeMap<String, Vec<NamedScope>> {
    serde_json::from_str(NAMES).expect("a list of names")
}

fn services() -> serde_json::Map<String, Value> {
    serde_json::from_str(&Catalog::builtin().listing().to_json()).expect("valid JSON")
}

/// The services that existing permissions files know; later ones follow them.
fn known_services() -> Vec<Service> {
    let known = expected_names().len();
    let catalog = Catalog::builtin();
    catalog.listing().0.iter().take(known).cloned().collect()
}

#[test]
fn every_known_service_scope_and_permission_is_there_in_its_order() {
    let names: serde_json::Map<String, Value> = serde_json::from_str(NAMES).expect("an object");
    let services = known_services();
    assert_eq!(
        services
            .iter()
            .map(|service| &service.name)
            .collect::<Vec<_>>(),
        names.keys().collect::<Vec<_>>()
    );
    let expected = expected_names();
    for service in services {
        let scopes: Vec<_> = service
            .scopes
            .iter()
            .map(|scope| NamedScope {
                scope: scope.name.clone(),
                display_name: scope.display_name.clone(),
                permissions: scope
                    .permissions
                    .iter()
                    .map(|permission| permission.name.clone())
                    .collect(),
            })
            .collect();
        assert_eq!(
            Some(&scopes),
            expected.get(&service.name),
            "{}",
            service.name
        );
    }
}

#[test]
fn the_known_part_has_26_services_28_scopes_and_310_permissions() {
    let services = known_services();
    let scopes: Vec<_> = services
        .iter()
        .flat_map(|service| &service.scopes)
        .collect();
    assert_eq!(services.len(), 26);
    assert_eq!(scopes.len(), 28);
    assert_eq!(
        scopes
            .iter()
            .map(|scope| scope.permissions.len())
            .sum::<usize>(),
        310
    );
}

#[test]
fn the_catalog_has_no_other_names() {
    assert_eq!(Catalog::builtin().schema("no-such-name"), None);
    assert_eq!(Catalog::builtin().schema("any"), None);
}

#[test]
fn what_clients_see_carries_names_and_descriptions_alone() {
    let json = Catalog::builtin().listing().to_json();
    assert!(
        json.starts_with("{\n  \"slack\": [\n    {\n      \"scope\": \"slack-api\",\n"),
        "{}",
        &json[..80]
    );
    assert!(json.ends_with("}\n"));
    for scope in services()
        .values()
        .flat_map(|scopes| scopes.as_array().expect("scopes"))
    {
        assert_eq!(
            keys(scope),
            ["scope", "display_name", "description", "permissions"],
            "{scope}"
        );
        for permission in scope["permissions"].as_array().expect("permissions") {
            assert_eq!(keys(permission), ["name", "description"], "{permission}");
        }
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_builtin_catalog_is_a_valid_catalog_file() {
    validate(Catalog::builtin().listing().to_json().as_bytes()).expect("valid");
}

#[test]
fn a_broken_catalog_file_is_refused_with_the_place_and_the_remedy() {
    for (content, complaint) in [
        (
            "{",
            "not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "[]",
            "the catalog must be an object of service names, found an array",
        ),
        (
            r#"{"Slack": []}"#,
            r#"service name "Slack" must consist of"#,
        ),
        (r#"{"-x": []}"#, r#"service name "-x" must consist of"#),
        (
            r#"{"slack": {}}"#,
            "slack must be an array, found an object",
        ),
        (
            r#"{"slack": ["slack-api"]}"#,
            "slack[0] must be an object, found a string",
        ),
        (
            r#"{"slack": [{"display_name": "S", "permissions": []}]}"#,
            "slack[0].scope must be a non-empty string, found nothing",
        ),
        (
            r#"{"slack": [{"scope": "s", "display_name": "", "permissions": []}]}"#,
            "slack[0].display_name must be a non-empty string, found an empty string",
        ),
        (
            r#"{"slack": [{"scope": "s", "display_name": "S"}]}"#,
            "slack[0].permissions must be an array, found nothing",
        ),
        (
            r#"{"slack": [{"scope": "s", "display_name": "S", "description": 1, "permissions": []}]}"#,
            "slack[0].description must be a string, found a number",
        ),
        (
            r#"{"slack": [{"scope": "s", "display_name": "S", "permissions": [{"name": "a"}, {"name": null}]}]}"#,
            "slack[0].permissions[1].name must be a non-empty string, found null",
        ),
    ] {
        let error = validate(content.as_bytes()).expect_err(content).to_string();
        assert!(error.starts_with(complaint), "{content}: {error}");
        assert!(error.ends_with("get the built-in catalog back"), "{error}");
    }
}

#[test]
fn a_catalog_file_may_have_keys_that_nobody_reads() {
    validate(br#"{"x": [{"scope": "s", "display_name": "S", "since": 2, "permissions": [{"name": "a", "risk": "low"}]}], "y": []}"#).expect("valid");
}

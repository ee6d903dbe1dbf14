//! Holds every written schema to its own examples and to what its name promises.

use serde_json::Value;

use super::Catalog;
use super::examples::{Entry, scopes, services};
use super::source::{for_each_object, is_read, is_write, listing, schemas};

fn permissions() -> impl Iterator<Item = Entry> {
    scopes().flat_map(|(_, permissions)| permissions)
}

#[test]
fn the_program_embeds_what_the_sources_say() {
    let services: Vec<_> = services().collect();
    let catalog = Catalog::builtin();
    assert_eq!(catalog.listing(), &listing(&services));
    let schemas = schemas(&services);
    let catalog = Catalog::builtin();
    assert_eq!(catalog.listing().names().count(), schemas.len());
    for (name, schema) in &schemas {
        assert_eq!(catalog.schema(name), Some(schema), "{name}");
    }
}

#[test]
fn every_schema_answers_its_examples_as_they_say() {
    for (scope, permissions) in scopes() {
        for entry in permissions.iter().chain([&scope]) {
            assert!(
                !entry.examples.allow.is_empty() && !entry.examples.deny.is_empty(),
                "{} lacks examples",
                entry.name
            );
            for example in &entry.examples.allow {
                assert!(entry.allows(example), "{} must allow {example}", entry.name);
            }
            for example in &entry.examples.deny {
                assert!(!entry.allows(example), "{} must deny {example}", entry.name);
            }
        }
    }
}

#[test]
fn a_permission_allows_only_what_its_scope_takes_in() {
    for (scope, permissions) in scopes() {
        for permission in &permissions {
            for example in &permission.examples.allow {
                assert!(
                    scope.allows(example),
                    "{} must take in {example} of {}",
                    scope.name,
                    permission.name
                );
            }
        }
    }
}

#[test]
fn a_permission_grants_nothing_on_another_host_or_over_clear_text() {
    for permission in permissions() {
        for example in &permission.examples.allow {
            let url = example.url();
            let rest = url.strip_prefix("https://").expect(url);
            let (host, _) = rest.split_once('/').expect(url);
            for other in [
                url.replacen("https://", "http://", 1),
                url.replacen(host, "example.org", 1),
                url.replacen(host, &format!("{host}.example.org"), 1),
            ] {
                assert!(
                    !permission.allows(&example.with_url(&other)),
                    "{} allows {other}",
                    permission.name
                );
            }
        }
    }
}

/// Holds that what any permission of one kind allows, the one for all of that kind allows, and none of the other kind does.
fn assert_kept_apart(is_kind: fn(&str) -> bool, all: &str, is_other_kind: fn(&str) -> bool) {
    for (_, permissions) in scopes() {
        let of_kind = permissions.iter().filter(|one| is_kind(&one.name));
        for example in of_kind.flat_map(|one| &one.examples.allow) {
            for other in &permissions {
                if other.name.ends_with(all) {
                    assert!(other.allows(example), "{} must allow {example}", other.name);
                }
                if is_other_kind(&other.name) {
                    assert!(!other.allows(example), "{} allows {example}", other.name);
                }
            }
        }
    }
}

#[test]
fn what_any_permission_reads_read_all_reads_and_no_write_permission_matches() {
    assert_kept_apart(is_read, "-read-all", is_write);
}

#[test]
fn what_any_permission_writes_write_all_writes_and_no_read_permission_matches() {
    assert_kept_apart(is_write, "-write-all", is_read);
}

#[test]
fn no_read_permission_allows_a_method_that_changes_things() {
    for permission in permissions().filter(|permission| is_read(&permission.name)) {
        for example in &permission.examples.allow {
            for changing in ["PUT", "PATCH", "DELETE"] {
                let changed = example.with_method(changing);
                assert!(
                    !permission.allows(&changed),
                    "{} allows {changed}",
                    permission.name
                );
            }
        }
    }
}

/// A second opinion on the patterns that the build has let through.
#[test]
fn every_pattern_is_for_a_string_and_an_ecmascript_pattern_with_flag_u() {
    for (scope, permissions) in scopes() {
        for entry in permissions.iter().chain([&scope]) {
            for_each_object(entry.schema.as_ref().expect("schema"), &mut |object| {
                if let Some(Value::String(pattern)) = object.get("pattern") {
                    assert_eq!(
                        object.get("type"),
                        Some(&Value::from("string")),
                        "{}: {pattern}",
                        entry.name
                    );
                    regress::Regex::with_flags(pattern, "u")
                        .unwrap_or_else(|error| panic!("{}: {pattern}: {error}", entry.name));
                }
            });
        }
    }
}

#[test]
fn every_branch_requires_protocol_domain_method_and_path() {
    for permission in permissions() {
        let schema = permission.schema.as_ref().expect("schema");
        let branches = schema
            .get("anyOf")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_else(|| vec![schema.clone()]);
        for branch in branches {
            let constrained: Vec<_> = branch["properties"]
                .as_object()
                .expect("properties")
                .keys()
                .map(String::as_str)
                .collect();
            let required: Vec<_> = branch["required"]
                .as_array()
                .expect("required")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(constrained, required, "{}", permission.name);
            assert!(
                required.starts_with(&["protocol", "domain", "method", "path"]),
                "{}: {required:?}",
                permission.name
            );
        }
    }
}

//! Holds every written schema to its own examples and to what its name promises.

use std::collections::HashSet;

use serde_json::Value;

use super::Catalog;
use super::examples::{Entry, scopes, services};
use super::source::{Example, for_each_object, is_read, is_write, listing, schemas};

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

/// The examples of what a scope's permissions of one kind allow.
fn examples(permissions: &[Entry], is_kind: fn(&str) -> bool) -> impl Iterator<Item = &Example> {
    permissions
        .iter()
        .filter(move |permission| is_kind(&permission.name))
        .flat_map(|permission| &permission.examples.allow)
}

/// Holds that the permission for all of a kind allows what any permission of that kind does.
fn assert_all_allows(all: &str, is_kind: fn(&str) -> bool) {
    for (_, permissions) in scopes() {
        for example in examples(&permissions, is_kind) {
            for permission in permissions.iter().filter(|one| one.name.ends_with(all)) {
                assert!(
                    permission.allows(example),
                    "{} must allow {example}",
                    permission.name
                );
            }
        }
    }
}

/// Holds that no permission of a kind allows any of the examples.
fn assert_none_allows<'a>(
    permissions: &[Entry],
    is_kind: fn(&str) -> bool,
    examples: impl Iterator<Item = &'a Example>,
) {
    for example in examples {
        for permission in permissions.iter().filter(|one| is_kind(&one.name)) {
            assert!(
                !permission.allows(example),
                "{} allows {example}",
                permission.name
            );
        }
    }
}

#[test]
fn what_any_permission_reads_read_all_reads() {
    assert_all_allows("-read-all", is_read);
}

#[test]
fn what_any_permission_writes_write_all_writes() {
    assert_all_allows("-write-all", is_write);
}

#[test]
fn no_write_permission_matches_a_read_unless_it_is_a_question_by_post() {
    for (_, permissions) in scopes() {
        let reads = examples(&permissions, is_read).filter(|example| !example.is_post());
        assert_none_allows(&permissions, is_write, reads);
    }
}

#[test]
fn no_read_permission_matches_a_write_unless_it_is_a_question_that_a_read_shows() {
    for (_, permissions) in scopes() {
        let questions: HashSet<_> = examples(&permissions, is_read)
            .filter(|example| example.is_post())
            .map(ToString::to_string)
            .collect();
        let writes = examples(&permissions, is_write)
            .filter(|example| !questions.contains(&example.to_string()));
        assert_none_allows(&permissions, is_read, writes);
    }
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

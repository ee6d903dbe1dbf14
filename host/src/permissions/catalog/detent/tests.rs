//! Imports of small packages in the shapes that detent has had.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Import, ImportError, OnUnusable};
use crate::permissions::catalog::{Catalog, Listing, Scope};
use crate::store::paths::LatchkeyDirectory;

/// A directory with files.
struct Place(TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().expect("a directory"));
        for (name, content) in files {
            let path = place.path(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, content).expect("written");
        }
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn import(&self) -> Result<Import, ImportError> {
        Import::read(self.0.path(), OnUnusable::Refuse)
    }

    fn refusal(&self) -> String {
        self.import().expect_err("a refusal").to_string()
    }

    /// What is in use once this has been imported.
    fn catalog(&self) -> Catalog {
        let home = tempfile::tempdir().expect("a directory");
        let directory = LatchkeyDirectory::new(home.path()).expect("absolute");
        self.import()
            .expect("an import")
            .save(&directory)
            .expect("saved");
        Catalog::in_use(&directory).expect("a catalog")
    }
}

const SLACK: &str = r#"{
  "slack-api": {"$comment": "All of it.", "properties": {"domain": {"const": "slack.example"}}, "required": ["domain"]},
  "slack-read-all": {"properties": {"method": {"const": "GET"}}, "required": ["method"]},
  "slack-stars-read": {"$comment": " Read stars. ", "properties": {"path": {"const": "/stars"}}, "required": ["path"]}
}"#;
const SLIDES: &str = r#"{
  "google-slides-read": {"properties": {"method": {"const": "GET"}, "domain": {"const": "slides.example"}}, "required": ["domain", "method"]},
  "google-slides-api": {"properties": {"domain": {"const": "slides.example"}}, "required": ["domain"]},
  "google-slides-write": {"properties": {"method": {"const": "POST"}}, "required": ["method"]}
}"#;
const ANY: &str = r#"{"any": {"$comment": "Everything."}}"#;
const PACKAGE: &str = r#"{"name": "@imbue-ai/detent", "version": "1.2.3"}"#;

fn checkout() -> Place {
    Place::new(&[
        ("package.json", PACKAGE),
        ("src/schemas/builtin/any.json", ANY),
        ("src/schemas/builtin/slack.json", SLACK),
        ("src/schemas/builtin/google-slides.json", SLIDES),
    ])
}

fn module(body: &str) -> String {
    format!(
        "// GENERATED, {{ not: 'this' }}\nimport {{ x }} from './x.js';\nconst quote = /[\"']/;\nexport const generatedBuiltinSchemas = {body};\n//# sourceMappingURL=generatedBuiltinSchemas.js.map\n"
    )
}

/// The three files as one object, in the order of their names.
fn merged() -> String {
    let mut all = serde_json::Map::new();
    for source in [ANY, SLIDES, SLACK] {
        let entries: serde_json::Map<String, Value> =
            serde_json::from_str(source).expect("an object");
        all.extend(entries);
    }
    serde_json::to_string_pretty(&all).expect("JSON")
}

fn scope<'a>(listing: &'a Listing, name: &str) -> (&'a str, &'a Scope) {
    let found = listing.scopes().find(|(_, scope)| scope.name == name);
    let (service, scope) = found.unwrap_or_else(|| panic!("no scope {name}"));
    (&service.name, scope)
}

fn names(scope: &Scope) -> Vec<&str> {
    scope.names().skip(1).collect()
}

#[test]
fn a_checkout_keeps_our_places_and_appends_what_is_new() {
    let place = checkout();
    let import = place.import().expect("an import");
    assert_eq!(import.origin().version.as_deref(), Some("1.2.3"));
    assert_eq!(
        Path::new(&import.origin().path),
        place.path("src/schemas/builtin")
    );
    let own = Catalog::builtin();
    let listing = &import.listing;
    let order: Vec<_> = listing.0.iter().map(|service| &service.name).collect();
    let mut expected: Vec<_> = own
        .listing()
        .0
        .iter()
        .map(|service| &service.name)
        .collect();
    let slides = "google-slides".to_owned();
    expected.push(&slides);
    assert_eq!(order, expected);
    let (_, slack) = scope(listing, "slack-api");
    let (_, own_slack) = scope(own.listing(), "slack-api");
    assert_eq!(slack.display_name, "Slack");
    assert_eq!(slack.description.as_deref(), Some("All of it."));
    let mut expected = names(own_slack);
    expected.push("slack-stars-read");
    assert_eq!(names(slack), expected);
    let descriptions: Vec<_> = slack
        .permissions
        .iter()
        .filter(|permission| {
            permission.name.starts_with("slack-read-all")
                || permission.name.starts_with("slack-stars")
        })
        .map(|permission| permission.description.as_deref())
        .collect();
    assert_eq!(
        descriptions,
        [None, Some("Read stars.")],
        "the source's own"
    );
    let (service, slides) = scope(listing, "google-slides-api");
    assert_eq!(
        (service, slides.display_name.as_str()),
        ("google-slides", "Google Slides")
    );
    assert_eq!(names(slides), ["google-slides-read", "google-slides-write"]);
    assert_eq!(import.added.len(), 4, "{:?}", import.added);
}

#[test]
fn what_is_imported_is_used_and_what_it_lacks_is_kept() {
    let place = checkout();
    let catalog = place.catalog();
    let slack = catalog.schema("slack-api").expect("a schema");
    assert_eq!(
        slack["properties"]["domain"],
        json!({"const": "slack.example"})
    );
    let own = Catalog::builtin();
    assert_eq!(
        catalog.schema("slack-chat-read"),
        own.schema("slack-chat-read")
    );
    for name in own.listing().names() {
        assert!(catalog.schema(name).is_some(), "{name} is in use somewhere");
    }
    let import = place.import().expect("an import");
    assert_eq!(import.kept.len(), own.listing().names().count() - 2);
    assert_eq!(import.origin().counts.kept, import.kept.len());
    let origin = catalog.origin().expect("an origin");
    assert_eq!(origin.counts, import.origin().counts);
    assert!(origin.to_string().contains("(detent 1.2.3)"), "{origin}");
}

#[test]
fn every_shape_of_a_package_gives_the_same_catalog() {
    let expected = checkout().import().expect("an import");
    let json = |directory: &str| {
        [("any", ANY), ("google-slides", SLIDES), ("slack", SLACK)]
            .map(|(name, content)| (format!("{directory}/{name}.json"), content.to_owned()))
            .to_vec()
    };
    let module = module(&merged());
    for files in [
        json("dist/src/schemas/builtin"),
        json("dist/src/patterns/builtin"),
        json("schemas/builtin"),
        json("builtin"),
        json("node_modules/@imbue-ai/detent/dist/src/schemas/builtin"),
        vec![(
            "dist/src/schemas/generatedBuiltinSchemas.js".to_owned(),
            module.clone(),
        )],
        vec![(
            "src/schemas/generatedBuiltinSchemas.js".to_owned(),
            module.clone(),
        )],
        vec![(
            "lib/node_modules/@imbue-ai/detent/dist/schemas/builtinSchemas.mjs".to_owned(),
            module,
        )],
    ] {
        let files: Vec<_> = files
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_str()))
            .collect();
        let place = Place::new(&files);
        let import = place.import().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(import.listing, expected.listing, "{files:?}");
        assert_eq!(import.schemas, expected.schemas, "{files:?}");
    }
}

#[test]
fn sources_win_over_what_was_compiled_of_them() {
    let place = checkout();
    let stale = place.path("dist/src/schemas");
    fs::create_dir_all(&stale).expect("directories");
    fs::write(stale.join("generatedBuiltinSchemas.js"), module("{}")).expect("written");
    let import = place.import().expect("an import");
    assert!(import.schemas.contains_key("slack-stars-read"));
}

#[test]
fn a_domain_of_aws_is_a_permission() {
    let place = Place::new(&[(
        "builtin/aws.json",
        r#"{"aws-glacier": {"properties": {"domain": {"const": "glacier.example"}}, "required": ["domain"]}}"#,
    )]);
    let catalog = place.catalog();
    let (_, aws) = scope(catalog.listing(), "aws");
    assert_eq!(names(aws).last(), Some(&"aws-glacier"));
}

#[test]
fn a_permission_without_a_scope_is_usable_and_named() {
    let place = Place::new(&[(
        "builtin/odd.json",
        r#"{"odd-read": {"properties": {"method": {"const": "GET"}}, "required": ["method"]}}"#,
    )]);
    let import = place.import().expect("an import");
    assert_eq!(import.unlisted, ["odd-read"]);
    assert!(import.listing.names().all(|name| name != "odd-read"));
    assert!(place.catalog().schema("odd-read").is_some());
}

#[test]
fn what_cannot_be_used_is_named_and_nothing_is_imported_unless_asked() {
    let place = Place::new(&[(
        "builtin/slack.json",
        r#"{"slack-api": {"properties": {"path": {"type": "string", "pattern": "("}}},
            "slack-new-read": {"properties": {"verb": {"const": "GET"}}},
            "slack-read-all": {"properties": {"method": {"const": "GET"}}},
            "slack-odd": 7}"#,
    )]);
    let refusal = place.refusal();
    assert!(refusal.starts_with("3 of its schemas"), "{refusal}");
    for part in [
        "slack-api of slack.json (",
        "slack-new-read of slack.json (",
        "slack-odd of slack.json (",
        "--skip-unusable",
    ] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    let import = Import::read(place.0.path(), OnUnusable::Skip).expect("an import");
    let skipped: Vec<_> = import.skipped.iter().map(|schema| &schema.name).collect();
    assert_eq!(skipped, ["slack-api", "slack-new-read", "slack-odd"]);
    assert!(import.kept.iter().any(|name| name == "slack-api"));
    assert_eq!(
        import.schemas.get("slack-api"),
        Catalog::builtin().schema("slack-api")
    );
    assert!(!import.schemas.contains_key("slack-odd"));
}

#[test]
fn a_directory_that_is_no_detent_is_refused_with_what_to_name() {
    let empty = Place::new(&[("package.json", PACKAGE)]);
    assert!(empty.refusal().contains("node_modules/@imbue-ai/detent"));
    let missing = Import::read(&empty.path("nowhere"), OnUnusable::Refuse);
    let refusal = missing.expect_err("a refusal").to_string();
    assert!(refusal.contains("there is no directory"), "{refusal}");
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    for (name, content, expected) in [
        ("builtin/a.json", "{", "EOF"),
        (
            "builtin/a.json",
            "[]",
            "an object that maps names to schemas",
        ),
        (
            "dist/schemas/generatedBuiltinSchemas.js",
            "export const other = {};",
            "it defines no constant",
        ),
        (
            "dist/schemas/generatedBuiltinSchemas.js",
            "const generatedBuiltinSchemas = {\n  \"a\": load('x')};",
            "nothing is evaluated at line 2 column 8",
        ),
    ] {
        let place = Place::new(&[(name, content)]);
        let refusal = place.refusal();
        assert!(
            refusal.contains(expected) && refusal.contains(name),
            "{refusal}"
        );
    }
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let twice = [
        Place::new(&[("builtin/a.json", r#"{"x": {}, "x": {}}"#)]),
        Place::new(&[
            ("builtin/a.json", r#"{"x": {}}"#),
            ("builtin/b.json", r#"{"x": {}}"#),
        ]),
        Place::new(&[(
            "dist/schemas/generatedBuiltinSchemas.js",
            &module("{x: {}, 'x': {}}"),
        )]),
    ];
    for place in twice {
        let refusal = place.refusal();
        assert!(refusal.starts_with("\"x\" stands in "), "{refusal}");
    }
}

//! What is written is read again, and nothing else is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::permissions::catalog::{Catalog, Import, OnUnusable, reset};
use crate::store::paths::LatchkeyDirectory;

/// A latchkey directory with an imported catalog.
fn imported() -> (TempDir, LatchkeyDirectory) {
    let home = tempfile::tempdir().expect("a directory");
    let schemas = home.path().join("detent/builtin");
    fs::create_dir_all(&schemas).expect("directories");
    let slack = json!({"slack-api": {"properties": {"domain": {"const": "slack.example"}}}});
    fs::write(schemas.join("slack.json"), slack.to_string()).expect("written");
    let directory = LatchkeyDirectory::new(home.path()).expect("absolute");
    Import::read(&home.path().join("detent"), OnUnusable::Refuse)
        .expect("an import")
        .save(&directory)
        .expect("saved");
    (home, directory)
}

#[test]
fn an_imported_file_that_is_not_as_written_is_refused_with_the_remedy() {
    let (_home, directory) = imported();
    let path = directory.imported_catalog();
    let written: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let changed = |place: &str, value: Value| {
        let mut changed = written.clone();
        *changed.pointer_mut(place).expect("a place") = value;
        changed.to_string()
    };
    for (content, expected) in [
        (String::new(), "EOF"),
        ("{}".to_owned(), "missing field"),
        (changed("/format", json!(2)), "its format is 2"),
        (
            changed("/schemas/slack-api", json!("x")),
            "the schema of \"slack-api\" is no object",
        ),
        (changed("/schemas", json!({})), "has no schema"),
        (
            changed("/services/slack", json!({})),
            "slack must be an array",
        ),
        (changed("/origin/counts", json!({})), "missing field"),
    ] {
        fs::write(&path, content).expect("written");
        let error = Catalog::in_use(&directory).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&*path.to_string_lossy()), "{error}");
        assert!(error.ends_with("`mngr-latchkey catalog reset`"), "{error}");
    }
    assert!(reset(&directory).expect("removed"));
    assert!(!reset(&directory).expect("nothing to remove"));
    assert_eq!(
        Catalog::in_use(&directory).expect("a catalog").origin(),
        None
    );
}

#[test]
fn an_imported_catalog_is_private() {
    let (_home, directory) = imported();
    let metadata = fs::metadata(directory.imported_catalog()).expect("a file");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

use std::convert::Infallible;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::*;

fn command_line() -> By {
    By::CommandLine {
        user: "me".to_owned(),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    (directory, root)
}

fn append(path: &Path, entry: String) {
    edit::<Infallible>(path, None, |config| {
        let mut config = config.unwrap_or_default();
        let rules = config.entry("rules").or_insert_with(|| json!([]));
        rules.as_array_mut().unwrap().push(json!({ entry: [] }));
        Ok(config)
    })
    .unwrap();
}

#[test]
fn a_replacement_needs_the_version_it_started_from() {
    let (_keep, root) = directory();
    let path = root.join("a/b/p.json");
    assert!(read(&path).unwrap().is_none());
    let first = replace(&path, b"one", None, &command_line()).unwrap();
    assert!(matches!(
        replace(&path, b"x", None, &command_line()),
        Err(ReplaceError::Conflict(_))
    ));
    let second = replace(&path, b"two", Some(first), &command_line()).unwrap();
    assert!(matches!(
        replace(&path, b"x", Some(first), &command_line()),
        Err(ReplaceError::Conflict(_))
    ));
    let reading = read(&path).unwrap().unwrap();
    assert_eq!(
        (reading.content.as_slice(), reading.version),
        (b"two".as_slice(), second)
    );
    assert_eq!(mode(&root.join("a")), 0o700);
}

/// Defect 6: both edits changed 0600 files to 0644.
#[test]
fn the_mode_is_kept_and_new_files_are_private() {
    let (_keep, root) = directory();
    let path = root.join("p.json");
    let version = replace(&path, b"{}", None, &command_line()).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    replace(&path, b"{ }", Some(version), &command_line()).unwrap();
    append(&path, "x".to_owned());
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_link_stays_and_its_target_is_replaced_even_when_it_dangles() {
    let (_keep, root) = directory();
    let link = root.join("link");
    symlink("there/p.json", &link).unwrap();
    let version = replace(&link, b"one", None, &command_line()).unwrap();
    replace(&link, b"two", Some(version), &command_line()).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("there/p.json"));
    assert_eq!(fs::read(root.join("there/p.json")).unwrap(), b"two");
    symlink("loop", root.join("loop")).unwrap();
    let message = replace(&root.join("loop"), b"x", None, &command_line())
        .unwrap_err()
        .to_string();
    assert!(message.contains("loop"), "{message}");
}

#[test]
fn an_edit_keeps_order_and_unknown_members_and_leaves_out_empty_schemas() {
    let (_keep, root) = directory();
    let path = root.join("p.json");
    fs::write(
        &path,
        r#"{"zeta":1,"include":["s.json"],"schemas":{},"rules":[]}"#,
    )
    .unwrap();
    append(&path, "x".to_owned());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n  \"zeta\": 1,\n  \"include\": [\n    \"s.json\"\n  ],\n  \"rules\": [\n    {\n      \"x\": []\n    }\n  ]\n}"
    );
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let (_keep, root) = directory();
    let path = root.join("p.json");
    fs::write(&path, r#"{"rules":[]}"#).unwrap();
    edit::<Infallible>(&path, None, |config| Ok(config.unwrap_or_default())).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"rules":[]}"#);
}

#[test]
fn a_broken_file_is_named_and_left_alone() {
    let (_keep, root) = directory();
    let path = root.join("p.json");
    for content in ["[]", "{\"rules\":", ""] {
        fs::write(&path, content).unwrap();
        let message = edit::<Infallible>(&path, None, |_| Ok(Map::new()))
            .unwrap_err()
            .to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn concurrent_edits_are_all_kept() {
    let (_keep, root) = directory();
    let path = root.join("p.json");
    let link = root.join("link.json");
    symlink(&path, &link).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (path, link) = (&path, &link);
            scope.spawn(move || {
                for n in 0..20 {
                    append(
                        if n % 2 == 0 { path } else { link },
                        format!("{writer}-{n}"),
                    );
                }
            });
        }
    });
    let config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(config["rules"].as_array().unwrap().len(), 160);
}

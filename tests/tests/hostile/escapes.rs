//! Components that name things by paths that lead elsewhere.
//!
//! | component | names | gets |
//! |---|---|---|
//! | `escapes-collections` | collections in its calls, and in its manifest | refusals; and is not served |
//! | `escapes-documents` | documents of its own collection | refusals |
//! | `escapes-permission-files` | permissions files, with the right to edit them | refusals outside of the boundary, and of files of the gateway's own |

use std::fs;
use std::path::Path;

use end_to_end::{Gateway, Home};

use crate::stage::{Siege, neighbours_in, with_claim};

const SECRET: &str = "what nobody may read";

/// What is there now that was not, and the other way round.
#[track_caller]
fn assert_untouched(siege: &Siege, before: &[String]) {
    let now = watched(siege);
    let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "gone: {gone:?}, new: {new:?}"
    );
}

/// Everything below the directory, with its length.
fn contents(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let length = fs::symlink_metadata(&path).unwrap().len();
            if path.is_dir() && !path.is_symlink() {
                left.push(path);
            } else {
                found.push(format!("{} {length}", path.display()));
            }
        }
    }
    found.sort();
    found
}

/// Where a planted file would be seen: everything but what the gateway itself writes while it runs.
fn watched(siege: &Siege) -> Vec<String> {
    let home = siege.gateway.home().path();
    let mut found = contents(home);
    found.retain(|line| {
        ![
            "compile_cache",
            "events.jsonl",
            "/logs/",
            "/notes/",
            ".log ",
            "control-",
        ]
        .iter()
        .any(|own| line.contains(own))
    });
    found
}

async fn post(siege: &Siege, target: &str, name: &str) -> end_to_end::Answer {
    let request = siege.admin.request("POST", target);
    request.body(name.to_owned()).send().await
}

#[tokio::test]
async fn no_collection_is_reached_by_another_name() {
    let home = Home::new();
    home.write("latchkey/outside/x.json", "{}", 0o600);
    let policy = r#"
        routes = ["POST /escapes-collections/{way}"]
        collections = ["notes"]
    "#;
    let mut siege = Siege::in_home(home, "escapes-collections", policy).await;
    let before = watched(&siege);
    for name in [
        "",
        ".",
        "..",
        "/",
        "notes/",
        "/notes",
        "./notes",
        "notes/.",
        "notes//",
        "NOTES",
        "notes ",
        "notes\0",
        "notes\0/../outside",
        "outside",
        "../latchkey/outside",
        "notes/../outside",
        "notes/../../latchkey/notes",
        "notes/..",
        "notes\\..\\outside",
        "notes%2f..%2foutside",
        "permission_requests/v2",
        "extensions",
        "/tmp",
        "mngr_latchkey",
        "\u{ff0e}\u{ff0e}/outside",
    ] {
        for way in ["list", "put"] {
            let answer = post(&siege, &format!("/escapes-collections/{way}"), name).await;
            assert!(answer.text().contains("not granted"), "{name:?}: {answer}");
            answer.expect(403);
        }
    }
    assert_untouched(&siege, &before);
    siege.named(&["documents", "outside", "not granted"]).await;
    post(&siege, "/escapes-collections/put", "notes")
        .await
        .expect(200);
    assert!(
        siege
            .gateway
            .home()
            .latchkey_directory()
            .join("notes/planted.json")
            .exists()
    );
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn no_manifest_has_a_collection_elsewhere() {
    for collection in [
        "../outside",
        "..",
        ".",
        "/tmp",
        "notes/../../outside",
        "extensions",
        "mngr_latchkey",
        "compile_cache",
        "extensions/logs",
        "NOTES",
        "notes.json",
        "notes/",
    ] {
        let bytes = with_claim(
            "escapes-collections",
            "escapes_collections_claim",
            collection,
        );
        let policy = format!(
            "routes = [\"POST /escapes-collections/{{way}}\"]\ncollections = [\"notes\", \"{collection}\"]"
        );
        let siege = Siege::by_bytes("escapes-collections", &bytes, &policy).await;
        let before = watched(&siege);
        let answer = post(&siege, "/escapes-collections/put", collection).await;
        assert_eq!(answer.status, 404, "{collection}: {answer}");
        siege.named(&["ERROR", "collection", collection]).await;
        assert_untouched(&siege, &before);
    }
}

#[tokio::test]
async fn no_document_is_reached_by_a_path() {
    let home = Home::new();
    home.write("latchkey/secret.json", SECRET, 0o600);
    home.write("latchkey/notes/own.json", "{}", 0o600);
    home.write("latchkey/notes/plain.txt", SECRET, 0o600);
    std::os::unix::fs::symlink(
        "../secret.json",
        home.latchkey_directory().join("notes/linked.json"),
    )
    .unwrap();
    let policy = r#"
        routes = ["POST /escapes-documents/{way}"]
        collections = ["notes"]
    "#;
    let mut siege = Siege::in_home(home, "escapes-documents", policy).await;
    let before = watched(&siege);
    let long = "x".repeat(5000);
    for name in [
        "",
        ".",
        "..",
        "../secret",
        "..\\secret",
        "/etc/passwd",
        "./own",
        "own/",
        "own/../own",
        "own\0",
        "\0",
        "../notes/own",
        "own.json/..",
        "%2e%2e%2fsecret",
        "a b",
        "\u{2025}/secret",
        "..%00",
        &long,
    ] {
        for way in ["get", "put", "delete"] {
            let answer = post(&siege, &format!("/escapes-documents/{way}"), name).await;
            assert_eq!(answer.status, 403, "{way} {name:?}: {answer}");
            assert!(!answer.text().contains(SECRET), "{answer}");
        }
    }
    // A document that is none: whoever put the link there could read what it leads to anyway, and still nothing leaves.
    let linked = post(&siege, "/escapes-documents/get", "linked").await;
    assert!(!linked.text().contains(SECRET), "{linked}");
    let plain = post(&siege, "/escapes-documents/get", "plain.txt").await;
    assert!(!plain.text().contains(SECRET), "{plain}");
    assert_untouched(&siege, &before);
    post(&siege, "/escapes-documents/get", "own")
        .await
        .expect(200);
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn permissions_files_are_all_that_their_editor_reaches() {
    let home = neighbours_in(Home::new());
    let outside = home.write("outside.json", SECRET, 0o600);
    // The permissions root of a gateway as mngr starts it.
    let root = home.plugin_data();
    fs::create_dir_all(&root).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("linked.json")).unwrap();
    std::os::unix::fs::symlink(home.path(), root.join("linked")).unwrap();
    let policy = r#"
        routes = ["POST /escapes-permission-files/{way}"]
        permission_files = "edit"
    "#;
    home.install("escapes-permission-files", policy);
    let options = Gateway::in_home(home);
    let mut siege = Siege::with("escapes-permission-files", options).await;
    let before = watched(&siege);
    let outside = outside.to_str().unwrap().to_owned();
    for (within, path) in [
        ("root", "../outside.json"),
        ("root", &*outside),
        ("root", "linked.json"),
        ("root", "linked/outside.json"),
        ("root", "linked/new.json"),
        ("root", "new/../../outside.json"),
        ("root", "."),
        ("root", ""),
        ("root", "/"),
        ("root", "a\0b"),
        ("directory", &*outside),
        ("directory", "/etc/passwd"),
        ("directory", "/proc/self/environ"),
        ("directory", "relative.json"),
        ("directory", ""),
    ] {
        for way in ["read", "replace"] {
            let target = format!("/escapes-permission-files/{way}?within={within}");
            let answer = post(&siege, &target, path).await;
            assert_eq!(answer.status, 403, "{way} {within} {path:?}: {answer}");
            assert!(!answer.text().contains(SECRET), "{answer}");
        }
    }
    assert_untouched(&siege, &before);
    siege.assert_others_unharmed().await;
}

/// Whoever edits permissions files edits them within the latchkey directory; what else stands there is none of them.
#[tokio::test]
async fn the_gateways_own_files_are_no_permissions_files() {
    let home = Home::new();
    let key = home.write("latchkey/extensions/echo.toml.bak", SECRET, 0o600);
    let policy = r#"
        routes = ["POST /escapes-permission-files/{way}"]
        permission_files = "edit"
    "#;
    let mut siege = Siege::in_home(home, "escapes-permission-files", policy).await;
    let directory = siege.gateway.home().latchkey_directory();
    let mut reached = Vec::new();
    for path in [
        key,
        directory.join("encryption_key"),
        directory.join("extensions/escapes-permission-files.toml"),
        directory.join("extensions/new.toml"),
        directory.join("extensions/echo.wasm"),
    ] {
        let before = fs::read(&path).ok();
        for way in ["read", "replace"] {
            let target = format!("/escapes-permission-files/{way}?within=directory");
            let answer = post(&siege, &target, path.to_str().unwrap()).await;
            if answer.status != 403 {
                reached.push(format!("{way} {}: {answer}", path.display()));
            }
        }
        if fs::read(&path).ok() != before {
            reached.push(format!("{} was changed", path.display()));
        }
    }
    assert!(reached.is_empty(), "{reached:#?}");
    siege.assert_others_unharmed().await;
}

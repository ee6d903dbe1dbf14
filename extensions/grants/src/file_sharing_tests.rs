//! Patterns are tried with an ECMAScript engine, paths compared with what a URL parser makes of them.

use proptest::prelude::*;
use url::Url;

use super::*;

fn shared(path: &str) -> SharedPath {
    SharedPath::parse(path).expect("a path that can be shared")
}

/// A request's path as the permission check sees it.
fn requested(path: &str) -> String {
    let mut url = Url::parse("https://latchkey-self.invalid:1").expect("a URL");
    url.set_path(&format!("{FILE_SERVER}{path}"));
    url.path().to_owned()
}

fn covers(grant: &SharedPath, path: &str) -> bool {
    let pattern =
        regress::Regex::with_flags(&grant.pattern(), "u").expect("a pattern with the flag u");
    pattern.find(&requested(path)).is_some()
}

#[test]
fn a_grant_covers_the_path_and_what_is_below_it() {
    let grant = shared("/d/a.txt");
    assert_eq!(
        grant.pattern(),
        r"^/minds-api-proxy/api/v1/files/d/a\.txt(/.*)?$"
    );
    assert!(
        covers(&grant, "/d/a.txt") && covers(&grant, "/d/a.txt/") && covers(&grant, "/d/a.txt/x/y")
    );
    assert!(!covers(&grant, "/d/a.txtx") && !covers(&grant, "/d/abtxt") && !covers(&grant, "/d"));
    assert!(!covers(&grant, "/d/a.txt/../b") && !covers(&grant, "/d/a.txt/%2e%2e/b"));
}

#[test]
fn a_trailing_slash_makes_no_difference() {
    let (with, without) = (shared("/d/dir/"), shared("/d/dir"));
    assert_eq!(with.pattern(), without.pattern());
    assert_eq!(
        with.schema_name(Access::Read),
        "minds-file-server-read-/d/dir"
    );
    assert_eq!(
        with.schema_name(Access::Write),
        "minds-file-server-write-/d/dir"
    );
    assert_eq!(with.given(), "/d/dir/");
}

#[test]
fn spaces_and_accents_match_as_they_are_requested() {
    let grant = shared("/d/é ü/a?b#c");
    assert_eq!(
        grant.pattern(),
        r"^/minds-api-proxy/api/v1/files/d/%C3%A9%20%C3%BC/a%3Fb%23c(/.*)?$"
    );
    assert!(covers(&grant, "/d/é ü/a?b#c/x"));
}

#[test]
fn what_leaves_its_directory_is_refused() {
    for path in [
        "/..",
        "/a/../b",
        r"/a\..\b",
        "/a/%2e%2E",
        "/a/.%2e/b",
        "/a/.\t./b",
        "/a/.\n.",
    ] {
        assert_eq!(
            SharedPath::parse(path),
            Err(InvalidPath::Traversal(path.to_owned()))
        );
    }
    for path in ["/", "//", "/.", "/./", "/%2e/", "/\t"] {
        assert_eq!(SharedPath::parse(path), Err(InvalidPath::Root), "{path:?}");
    }
    assert_eq!(
        SharedPath::parse("~/a"),
        Err(InvalidPath::Relative("~/a".to_owned()))
    );
    assert!(SharedPath::parse("/a/...").is_ok() && SharedPath::parse("/a..b").is_ok());
}

#[test]
fn a_schema_name_says_what_it_shares() {
    for access in [Access::Read, Access::Write] {
        let name = shared("/d/a b/").schema_name(access);
        let parsed = SharingName::parse(&name);
        let path = "/d/a b";
        assert_eq!(parsed, Some(SharingName { access, path }), "{name}");
    }
    assert_eq!(
        SharingName::parse("minds-file-server-write-/d/"),
        Some(SharingName {
            access: Access::Write,
            path: "/d"
        })
    );
    for other in [
        "minds-file-server-read-",
        "minds-file-server-read-/",
        "minds-file-server-read-x",
        "minds-file-server-list-/d",
        "slack-read-all",
    ] {
        assert_eq!(SharingName::parse(other), None, "{other}");
    }
    assert_eq!(Access::parse("wRite"), Some(Access::Write));
    assert_eq!(Access::parse("LIST"), None);
}

#[test]
fn writing_includes_reading_and_never_copying() {
    assert_eq!(
        Access::Read.methods(),
        ["GET", "HEAD", "OPTIONS", "PROPFIND"]
    );
    let write = Access::Write.methods();
    assert!(
        Access::Read
            .methods()
            .iter()
            .all(|method| write.contains(method))
    );
    assert!(!write.contains(&"COPY") && !write.contains(&"MOVE"));
    assert_eq!(write.len(), 10);
}

/// Paths of few, awkward pieces, so that two of them are often related.
fn awkward_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "a", "b", ".", "..", "%2e", "%2F", " ", "é", "\\", "?", "#", "+", "(", "[", "$",
        "^", "|", "*", "{", "%", "\t", "\u{7f}", "\"", "'", "😀",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn a_path_is_normalised_as_the_url_parser_does(path in prop_oneof![awkward_path(), any::<String>()]) {
        if let Ok(grant) = SharedPath::parse(&path) {
            let expected = requested(&path);
            prop_assert_eq!(format!("{FILE_SERVER}{}", grant.normalised), expected.trim_end_matches('/'));
        }
    }

    #[test]
    fn the_pattern_covers_exactly_the_subtree(granted in awkward_path(), other in awkward_path()) {
        if let Ok(grant) = SharedPath::parse(&granted) {
            let root = format!("{FILE_SERVER}{}", grant.normalised);
            for path in [other.clone(), format!("{granted}{other}"), granted.clone()] {
                let path_requested = requested(&path);
                let below = path_requested == root || path_requested.starts_with(&format!("{root}/"));
                prop_assert_eq!(covers(&grant, &path), below, "{} against {}", path_requested, root);
            }
        }
    }
}

use super::*;
use crate::extensions::worlds::{PermissionFilesAccess, Upstream};

fn route(method: &str, path: &str) -> Route {
    Route {
        method: method.to_owned(),
        path: path.to_owned(),
        query_parameter: None,
        streaming: false,
    }
}

fn manifest() -> Manifest {
    Manifest {
        name: "notes-2".to_owned(),
        version: "1.0.0-beta+7".to_owned(),
        routes: vec![
            route("*", "/notes"),
            route("GET", "/notes"),
            route("VERSION-CONTROL", "/notes/{id}/%C3%A4/{*rest}"),
            Route {
                query_parameter: Some("größe".to_owned()),
                ..route("GET", "/notes")
            },
        ],
        collections: vec!["notes".to_owned(), "permission_requests/v2".to_owned()],
        topics: vec!["notes.changed".to_owned()],
        settings: vec!["NOTES_COLOUR".to_owned()],
        permission_files: PermissionFilesAccess::None,
        catalog: false,
        upstreams: vec![
            upstream(Origin::Fixed("https://api.example.com".to_owned())),
            upstream(Origin::Fixed("http://[::1]:8080/".to_owned())),
            upstream(Origin::Setting("NOTES_URL".to_owned())),
        ],
    }
}

fn upstream(origin: Origin) -> Upstream {
    Upstream {
        origin,
        bearer: Some("NOTES_KEY".to_owned()),
    }
}

/// The manifest with a change is refused with one short line that has all of these words.
#[track_caller]
fn assert_refused(change: impl FnOnce(&mut Manifest), words: &[&str]) {
    let mut changed = manifest();
    change(&mut changed);
    let error = check(&changed).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");
    assert!(error.len() < 400, "{} bytes: {error}", error.len());
}

#[test]
fn what_an_honest_extension_asks_for_is_in_order() {
    assert_eq!(check(&manifest()), Ok(()));
}

#[test]
fn a_name_is_a_plain_word() {
    for name in [
        "",
        "-a",
        "A",
        "a_b",
        "a.b",
        "a/b",
        "..",
        "ä",
        "a b",
        "a\n",
        &"a".repeat(65),
    ] {
        assert_refused(|manifest| manifest.name = name.to_owned(), &["its name"]);
    }
}

#[test]
fn a_wrong_value_is_shown_short_and_without_control_characters() {
    let hostile = format!("\u{1b}[2J\nforged{}", "x".repeat(1_000_000));
    assert_refused(|manifest| manifest.name.clone_from(&hostile), &["forged"]);
    assert_refused(
        |manifest| manifest.version.clone_from(&hostile),
        &["its version", "forged"],
    );
    assert_refused(
        |manifest| manifest.routes[0].path = format!("/{hostile}"),
        &["the path", "forged"],
    );
    assert_refused(
        |manifest| manifest.topics.push(hostile.clone()),
        &["the topic", "forged"],
    );
}

#[test]
fn no_list_is_endless() {
    let many = |text: &str| vec![text.to_owned(); 65];
    assert_refused(
        |manifest| manifest.routes = (0..257).map(|n| route("GET", &format!("/{n}"))).collect(),
        &["257 routes", "256"],
    );
    assert_refused(
        |manifest| manifest.collections = many("notes"),
        &["65 collections"],
    );
    assert_refused(|manifest| manifest.topics = many("notes"), &["65 topics"]);
    assert_refused(
        |manifest| manifest.settings = many("NOTES"),
        &["65 settings"],
    );
    assert_refused(
        |manifest| {
            manifest.upstreams = (0..65)
                .map(|_| upstream(Origin::Setting("NOTES_URL".to_owned())))
                .collect();
        },
        &["65 upstreams"],
    );
}

#[test]
fn a_method_is_an_upper_case_token() {
    for method in [
        "",
        "get",
        "Get",
        "GET ",
        "G\u{cb}T",
        "**",
        "-",
        "GET\r\nHost:",
        &"G".repeat(33),
    ] {
        assert_refused(
            |manifest| manifest.routes[0].method = method.to_owned(),
            &["the method"],
        );
    }
}

#[test]
fn a_path_is_one_that_a_request_can_have() {
    for path in [
        "/a b",
        "/a?b",
        "/a#b",
        "/ä",
        "/a\u{7f}",
        &format!("/{}", "a".repeat(512)),
    ] {
        assert_refused(
            |manifest| manifest.routes[0].path = path.to_owned(),
            &["the path"],
        );
    }
    assert_refused(
        |manifest| manifest.routes[0].path = "/a{b}".to_owned(),
        &["/a{b}", "malformed"],
    );
    assert_refused(
        |manifest| manifest.routes[3].query_parameter = Some(String::new()),
        &["the query parameter"],
    );
}

#[test]
fn a_route_stands_there_once_whatever_its_parameters_are_called() {
    assert_refused(
        |manifest| {
            manifest.routes.push(route("PUT", "/a/{x}"));
            manifest.routes.push(route("PUT", "/a/{y}"));
        },
        &["'PUT /a/{y}' twice"],
    );
}

#[test]
fn a_collection_never_leaves_its_place() {
    for collection in [
        "",
        "/",
        "/etc",
        "..",
        ".",
        "../notes",
        "notes/..",
        "notes/../../etc",
        "notes//v2",
        "notes/",
        ".notes",
        "notes.json",
        "Notes",
        "notes\\v2",
        "no\0tes",
        "n\u{f6}tes",
        "a/b/c/d/e",
        &"n".repeat(65),
    ] {
        assert_refused(
            |manifest| manifest.collections.push(collection.to_owned()),
            &["the collection"],
        );
    }
}

#[test]
fn a_collection_is_never_where_the_gateway_keeps_its_own_files() {
    for collection in [
        "extensions",
        "extensions/logs",
        "mngr_latchkey",
        "mngr_latchkey/permissions",
        "mngr_latchkey/hosts/a",
        "compile_cache/index",
        "encryption_key",
    ] {
        assert_refused(
            |manifest| manifest.collections.push(collection.to_owned()),
            &[&format!("'{collection}'"), "another name"],
        );
    }
}

#[test]
fn a_setting_is_a_variable_and_not_one_that_opens_the_gateway() {
    for setting in ["", "1A", "A-B", "A=B", "\u{c4}", &"A".repeat(129)] {
        assert_refused(
            |manifest| manifest.settings.push(setting.to_owned()),
            &["the setting"],
        );
    }
    for setting in [
        "LATCHKEY_ENCRYPTION_KEY",
        "LATCHKEY_GATEWAY_LISTEN_PASSWORD",
    ] {
        assert_refused(
            |manifest| manifest.settings.push(setting.to_owned()),
            &[setting],
        );
        assert_refused(
            |manifest| manifest.upstreams[0].bearer = Some(setting.to_owned()),
            &[setting],
        );
    }
}

#[test]
fn an_upstream_is_an_origin_and_no_more() {
    for origin in [
        "api.example.com",
        "ftp://api.example.com",
        "https://good.example@evil.example",
        "https://api.example.com/path",
        "https://api.example.com?query",
        "https://api.example.com#fragment",
        "https:// api.example.com",
    ] {
        assert_refused(
            |manifest| {
                manifest
                    .upstreams
                    .push(upstream(Origin::Fixed(origin.to_owned())))
            },
            &["the upstream", origin],
        );
    }
}

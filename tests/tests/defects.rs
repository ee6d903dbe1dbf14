//! Defects that were found in the program's predecessor, each with the test that keeps it away.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use end_to_end::{Gateway, Home, ask, mode, read_json, share, within_patience};
use serde_json::json;

const PATH: &str = "/permission-requests";

#[tokio::test]
async fn defect_04_an_approval_never_locks_the_admin_out() {
    let gateway = Gateway::start().await;
    let before = fs::read(gateway.home().admin_permissions()).unwrap();
    let id = gateway
        .admin()
        .post(PATH, share("/home/me/x", "READ"))
        .await
        .expect(201)
        .id();
    // The admin file has no scope `latchkey-self`.
    let answer = gateway.admin().approve(&id).await.expect(409);
    assert!(answer.error().contains("latchkey-self"), "{answer}");
    assert_eq!(
        fs::read(gateway.home().admin_permissions()).unwrap(),
        before
    );
    assert_eq!(gateway.admin().pending().await.len(), 1);
    gateway
        .admin()
        .delete(&format!("{PATH}/{id}"))
        .await
        .expect(204);
}

#[tokio::test]
async fn defect_05_hooks_survive_edits_and_approvals() {
    let gateway = Gateway::start().await;
    let path = gateway.home().permissions_file(
        "x.json",
        &json!({"rules": [
            {"slack-api": {"hooks": ["true"], "schemas": ["slack-read-all"]}},
            {"github-rest-api": {"hooks": ["true"]}},
            {"any": ["any"]},
        ]}),
    );
    let admin = gateway.admin();
    let approve = async |scope: &str, permission: &str| {
        let id = gateway
            .bearer_of(&path)
            .post(PATH, ask(scope, [permission]))
            .await
            .expect(201)
            .id();
        admin.approve(id).await.expect(200);
    };
    approve("slack-api", "slack-write-all").await;
    approve("github-rest-api", "any").await;
    let rules = read_json(&path)["rules"].clone();
    assert_eq!(
        rules[0],
        json!({"slack-api": {"hooks": ["true"], "schemas": ["slack-read-all", "slack-write-all"]}})
    );
    assert_eq!(rules[1], json!({"github-rest-api": {"hooks": ["true"]}}));
    let answer = admin
        .post(
            "/permissions/rules?path=x.json&rule_key=slack-api",
            json!(["any"]),
        )
        .await
        .expect(200);
    let rule = json!({"slack-api": {"hooks": ["true"], "schemas": ["any"]}});
    assert_eq!(answer.json(), rule);
    assert_eq!(read_json(&path)["rules"][0], rule);
}

#[tokio::test]
async fn defect_06_edits_keep_the_mode_and_new_files_are_private() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let admin = gateway.admin();
    for (index, wanted) in [0o600, 0o640, 0o644].into_iter().enumerate() {
        fs::set_permissions(&agent.permissions, fs::Permissions::from_mode(wanted)).unwrap();
        let id = agent
            .post(PATH, share(&format!("/home/me/{wanted:o}"), "READ"))
            .await
            .expect(201)
            .id();
        admin.approve(id).await.expect(200);
        assert_eq!(mode(&agent.permissions), wanted);
        let target = format!(
            "/permissions/rules?path={}&rule_key=slack-api",
            agent.permissions.display()
        );
        let names = ["slack-read-all", "slack-write-all", "any"];
        let answer = admin.post(&target, json!([names[index]])).await;
        assert!(matches!(answer.status, 200 | 201), "{answer}");
        assert_eq!(mode(&agent.permissions), wanted);
    }
    admin
        .post(
            "/permissions/rules?path=new.json&rule_key=slack-api",
            json!([]),
        )
        .await
        .expect(201);
    assert_eq!(mode(&gateway.home().plugin_data().join("new.json")), 0o600);
}

#[tokio::test]
async fn defect_07_a_missing_default_file_denies() {
    let gateway = Gateway::start().await;
    fs::remove_file(gateway.home().default_permissions()).unwrap();
    let denied = "Error: Request not permitted by the user.";
    gateway
        .guest()
        .get("/permissions/available")
        .await
        .expect_error(403, denied);
    gateway
        .guest()
        .post(PATH, ask("slack-api", []))
        .await
        .expect_error(403, denied);
}

#[tokio::test]
async fn defect_08_only_canonical_base64url_is_a_token() {
    let gateway = Gateway::start().await;
    let keys = gateway.keys();
    // Its payload has a `-` or `_` in base64url, so that the standard alphabet makes a difference.
    let payload =
        json!({"x": "\u{ff}\u{ff}>>>???", "permissionsConfig": gateway.home().admin_permissions()})
            .to_string();
    let good = keys.token(&payload);
    gateway
        .with_token(&good)
        .get("/permissions/self")
        .await
        .expect(200);
    let [header, payload, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let standard = payload.replace('-', "+").replace('_', "/");
    assert_ne!(standard, payload);
    let reason =
        |part: &str| format!("Latchkey: Permissions override {part} is not valid base64url.");
    let mut stray_bits = signature.to_owned();
    let last = stray_bits.pop().unwrap();
    // 32 bytes leave two bits of the last character unused.
    stray_bits.push(char::from_u32(u32::from(last) + 1).unwrap());
    for (token, message) in [
        (keys.sign(&format!("{header}=.{payload}")), reason("header")),
        (
            keys.sign(&format!("{header}.{payload}=")),
            reason("payload"),
        ),
        (
            keys.sign(&format!("{header}.{standard}")),
            reason("payload"),
        ),
        (
            keys.sign(&format!("{header}.{payload} x")),
            reason("payload"),
        ),
        (
            format!("{header}.{payload}.{signature}="),
            reason("signature"),
        ),
        (
            format!("{header}.{payload}.{}", stray_bits),
            reason("signature"),
        ),
        (
            format!("{header}.{payload}.!{signature}"),
            reason("signature"),
        ),
    ] {
        let answer = gateway
            .with_token(&token)
            .get("/permissions/self")
            .await
            .expect(401);
        assert_eq!(answer.error(), message, "{token}");
    }
}

#[tokio::test]
async fn defect_08_an_expired_token_is_refused() {
    let gateway = Gateway::start().await;
    let path = gateway.home().admin_permissions();
    let token = gateway
        .cli([
            "gateway",
            "create-jwt",
            path.to_str().unwrap(),
            r#"{"exp": 1}"#,
        ])
        .expect_success();
    let answer = gateway
        .with_token(token.line())
        .get("/permissions/self")
        .await;
    answer.expect_error(401, "Latchkey: Permissions override has expired.");
}

#[tokio::test]
async fn defect_08_repeated_secrets_are_refused() {
    let gateway = Gateway::start().await;
    let password = gateway.keys().password();
    let twice = gateway
        .admin()
        .with_header("X-Latchkey-Gateway-Password", &password);
    twice.get("/permissions/self").await.expect_error(
        401,
        "Unauthorized: invalid or missing Latchkey gateway password.",
    );
    let token = gateway
        .keys()
        .override_token(&gateway.home().admin_permissions());
    let twice = gateway
        .admin()
        .with_header("X-Latchkey-Gateway-Permissions-Override", &token);
    twice.get("/permissions/self").await.expect(401);
}

#[tokio::test]
async fn defect_09_a_grant_covers_odd_names_and_directories() {
    let gateway = Gateway::start().await;
    for (index, (shared, covered, not)) in [
        ("/d/my file é.txt", "/d/my%20file%20%C3%A9.txt", "/d/my"),
        ("/d/dir/", "/d/dir", "/d/directory"),
        ("/d/dir/", "/d/dir/x/y", "/d"),
        ("/d/a.b", "/d/a.b/", "/d/aXb"),
        ("/d/a+(b)[c]", "/d/a+(b)[c]", "/d/aa(b)[c]"),
    ]
    .into_iter()
    .enumerate()
    {
        let agent = gateway.agent(&index.to_string()).await;
        let id = agent
            .post(PATH, share(shared, "READ"))
            .await
            .expect(201)
            .id();
        gateway.admin().approve(id).await.expect(200);
        let status = async |path: &str| {
            agent
                .get(&format!("/minds-api-proxy/api/v1/files{path}"))
                .await
                .status
        };
        assert_ne!(status(covered).await, 403, "{shared} covers {covered}");
        assert_eq!(status(not).await, 403, "{shared} does not cover {not}");
        let schemas = read_json(&agent.permissions)["schemas"].clone();
        let name = format!("minds-file-server-read-{}", shared.trim_end_matches('/'));
        assert!(schemas.get(&name).is_some(), "{schemas}");
    }
}

#[tokio::test]
async fn defect_10_nothing_is_written_outside() {
    let gateway = Gateway::start().await;
    let content = r#"{"rules": [{"any": ["any"]}]}"#;
    let outside = gateway.home().write("outside.json", content, 0o600);
    let inside = gateway.home().plugin_data().join("link-to-outside.json");
    symlink(&outside, &inside).unwrap();
    for target in [&outside, &inside] {
        // Reading it is fine: whoever signs tokens is the operator.
        let bearer = gateway.bearer_of(target);
        bearer.get("/permissions/self").await.expect(200);
        let id = bearer
            .post(PATH, ask("slack-api", ["slack-read-all"]))
            .await
            .expect(201)
            .id();
        let answer = gateway.admin().approve(&id).await.expect(403);
        assert!(
            answer.error().contains(target.to_str().unwrap()),
            "{answer}"
        );
        assert_eq!(fs::read_to_string(&outside).unwrap(), content);
        assert_eq!(gateway.admin().pending().await.len(), 1);
        gateway
            .admin()
            .delete(&format!("{PATH}/{id}"))
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn defect_11_odd_targets_are_refused_or_normalised_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().header_lines();
    let agent = gateway.agent("a").await;
    for (line, status) in [
        ("TRACE / HTTP/1.1", 405),
        ("TRACE /permissions/self HTTP/1.1", 405),
        ("GET http://example.com/permissions/self HTTP/1.1", 400),
        (
            "GET http://latchkey-self.invalid:1/permissions/self HTTP/1.1",
            400,
        ),
        ("OPTIONS * HTTP/1.1", 400),
        ("CONNECT example.com:443 HTTP/1.1", 405),
        ("GET //x/permissions/self HTTP/1.1", 404),
        ("GET ///permissions/self HTTP/1.1", 404),
    ] {
        let mut raw = gateway.raw().await;
        raw.send(format!("{line}\r\nhost: x\r\n{admin}\r\n")).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status(), status, "{line}: {answer:?}");
    }
    let mut raw = gateway.raw().await;
    raw.send(format!(
        "GET //x/permissions/self HTTP/1.1\r\nhost: x\r\n{}\r\n",
        agent.header_lines()
    ))
    .await;
    raw.answer().await.expect(403);
    gateway.admin().get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn defect_12_an_absent_body_is_an_absent_property() {
    let gateway = Gateway::start().await;
    for (name, schema, status) in [
        ("required", json!({"required": ["body"]}), 403),
        ("parsed", json!({"required": ["parsedBody"]}), 403),
        (
            "constrained",
            json!({"properties": {"body": {"type": "string", "minLength": 1}}}),
            200,
        ),
        (
            "nested",
            json!({"properties": {"parsedBody": {"required": ["x"]}}}),
            200,
        ),
    ] {
        let permissions = json!({"schemas": {"this": schema}, "rules": [{"any": ["this"]}]});
        let path = gateway
            .home()
            .permissions_file(&format!("{name}.json"), &permissions);
        let answer = gateway.bearer_of(&path).get("/permissions/self").await;
        assert_eq!(answer.status, status, "{name}: {answer}");
    }
}

#[tokio::test]
async fn defect_13_what_cannot_be_checked_is_denied_with_the_detail() {
    let gateway = Gateway::start().await;
    let home = gateway.home();
    home.write("latchkey/mngr_latchkey/fails", "#!/bin/sh\nexit 7\n", 0o700);
    home.write(
        "latchkey/mngr_latchkey/killed",
        "#!/bin/sh\nkill -9 $$\n",
        0o700,
    );
    home.write("latchkey/mngr_latchkey/text", "exit 0\n", 0o600);
    let hook = |name: &str| json!({"rules": [{"any": {"hooks": [name]}}]});
    let pattern = json!({
        "schemas": {"broken": {"properties": {"path": {"pattern": "("}}}},
        "rules": [{"broken": ["any"]}],
    });
    for (name, permissions, detail) in [
        ("missing", hook("./no-such-hook"), "no-such-hook"),
        ("bare", hook("no-such-hook-on-path"), "no-such-hook-on-path"),
        ("text", hook("./text"), "text"),
        ("failing", hook("./fails"), "fails"),
        ("killed", hook("./killed"), "killed"),
        ("pattern", pattern, "broken"),
    ] {
        let path = home.permissions_file(&format!("{name}.json"), &permissions);
        let answer = gateway
            .bearer_of(&path)
            .get("/permissions/self")
            .await
            .expect(403);
        let error = answer.error();
        assert!(
            error.starts_with("Error: Permission check failed: ") && error.contains(detail),
            "{answer}"
        );
    }
    gateway.admin().get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn defect_14_a_listing_that_cannot_be_made_fails_at_once() {
    let home = Home::new();
    let file = home.write("latchkey/permission_requests/v2", "in the way", 0o600);
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    for target in [PATH, "/permission-requests?follow=true"] {
        let answer = within_patience("a listing fails", admin.get(target))
            .await
            .expect(500);
        assert!(answer.error().contains(file.to_str().unwrap()), "{answer}");
    }
    let answer = admin.post(PATH, ask("slack-api", [])).await.expect(500);
    assert!(answer.error().contains(file.to_str().unwrap()), "{answer}");
    fs::remove_file(file).unwrap();
    admin.post(PATH, ask("slack-api", [])).await.expect(201);
    assert_eq!(admin.pending().await.len(), 1);
}

#[tokio::test]
async fn defect_19_a_missing_include_is_an_empty_file_and_a_warning() {
    let gateway = Gateway::start().await;
    let permissions = json!({"include": ["no-such-file.json"], "rules": [{"any": ["any"]}]});
    let path = gateway.home().permissions_file("x.json", &permissions);
    gateway
        .bearer_of(&path)
        .get("/permissions/self")
        .await
        .expect(200);
    gateway
        .process()
        .logged("the warning", |line| {
            line.contains("no-such-file.json").then_some(())
        })
        .await;
    // It counts as soon as it is there.
    gateway
        .home()
        .permissions_file("no-such-file.json", &json!({"rules": [{"any": []}]}));
    gateway
        .bearer_of(&path)
        .get("/permissions/self")
        .await
        .expect(403);
}

#[tokio::test]
async fn defect_20_writers_of_one_file_do_not_race_for_a_temporary_name() {
    let gateway = Gateway::start().await;
    gateway
        .home()
        .permissions_file("x.json", &json!({"rules": [{"any": ["any"]}]}));
    let scopes: Vec<String> = {
        let catalog = gateway
            .admin()
            .get("/permissions/available")
            .await
            .expect(200)
            .json();
        let entries = catalog
            .as_object()
            .unwrap()
            .values()
            .flat_map(|entries| entries.as_array().unwrap());
        entries
            .map(|entry| entry["scope"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut edits = tokio::task::JoinSet::new();
    for scope in scopes.clone() {
        let admin = gateway.admin();
        edits.spawn(async move {
            admin
                .post(
                    &format!("/permissions/rules?path=x.json&rule_key={scope}"),
                    json!(["any"]),
                )
                .await
                .expect(201);
        });
    }
    edits.join_all().await;
    let content = read_json(&gateway.home().plugin_data().join("x.json"));
    for scope in &scopes {
        let rules = content["rules"].as_array().unwrap();
        assert_eq!(
            rules
                .iter()
                .filter(|rule| rule.get(scope) == Some(&json!(["any"])))
                .count(),
            1,
            "{scope}"
        );
    }
    let left: Vec<_> = fs::read_dir(gateway.home().plugin_data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

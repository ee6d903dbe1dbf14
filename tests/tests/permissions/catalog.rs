//! `catalog`: looking up services and permissions, and importing them from a detent.

use std::path::PathBuf;

use end_to_end::{Gateway, Home, Outcome, mode, read_json};
use serde_json::{Value, json};

/// A checkout in which Slack is somewhere else, and Google Slides is there too.
fn detent(home: &Home) -> PathBuf {
    let slack = json!({
        "slack-api": {"$comment": "All of Slack.", "properties": {"domain": {"const": "slack.example"}}, "required": ["domain"]},
        "slack-read-all": {
            "$comment": "Read.",
            "properties": {"domain": {"const": "slack.example"}, "method": {"const": "GET"}},
            "required": ["domain", "method"],
        },
    });
    let slides = json!({
        "google-slides-api": {"properties": {"domain": {"const": "slides.example"}}, "required": ["domain"]},
        "google-slides-read-all": {"properties": {"method": {"const": "GET"}}, "required": ["method"]},
    });
    let package = json!({"name": "@imbue-ai/detent", "version": "9.8.7"});
    for (name, content) in [
        ("package.json", package),
        ("src/schemas/builtin/any.json", json!({"any": {}})),
        ("src/schemas/builtin/slack.json", slack),
        ("src/schemas/builtin/google-slides.json", slides),
    ] {
        home.write(&format!("detent/{name}"), &content.to_string(), 0o644);
    }
    home.path().join("detent")
}

fn import(home: &Home) {
    detent(home);
    home.cli(["catalog", "import", "--detent-root", "detent"])
        .expect_success();
}

fn imported(home: &Home) -> PathBuf {
    home.plugin_data().join("latchkey_catalog.json")
}

/// Panics unless it failed with one line that has these parts.
#[track_caller]
fn assert_refused(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    let line = outcome.stderr.strip_suffix('\n').unwrap_or_default();
    assert!(
        line.starts_with("Error: ") && !line.contains('\n'),
        "{outcome}"
    );
    for part in parts {
        assert!(line.contains(part), "{part}: {outcome}");
    }
}

fn verdict(home: &Home, url: &str) -> Value {
    let policy = json!({"rules": [{"slack-api": ["slack-read-all"]}, {"github-rest-api": ["github-read-all"]}]});
    let file = home.permissions_file("policy.json", &policy);
    let file = file.to_str().expect("UTF-8");
    let outcome = home.cli([
        "permissions",
        "check",
        "--file",
        file,
        "--url",
        url,
        "--format",
        "json",
    ]);
    outcome.json()["verdict"].clone()
}

#[test]
fn the_list_has_every_scope_and_says_where_the_catalog_comes_from() {
    let home = Home::new();
    let list = home.cli(["catalog", "list"]).expect_success();
    assert!(list.stdout.starts_with("catalog  built in"), "{list}");
    let github = list
        .stdout
        .lines()
        .find(|line| line.contains("github-rest-api"));
    let words: Vec<_> = github.unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        words,
        ["github", "github-rest-api", "14", "GitHub", "(REST", "API)"],
        "{list}"
    );
    let json = home
        .cli(["catalog", "list", "--format", "json"])
        .expect_success()
        .json();
    assert_eq!(json["origin"]["kind"], "built-in", "{json}");
    assert_eq!(json["services"][0]["service"], "slack");
    assert_eq!(
        json["services"][0]["scopes"],
        json!([{"scope": "slack-api", "display_name": "Slack", "permissions": 21}])
    );
    assert!(
        !home.latchkey_directory().exists(),
        "looking creates nothing"
    );
}

#[test]
fn a_service_is_shown_with_what_its_permissions_match() {
    let home = Home::new();
    let shown = home.cli(["catalog", "show", "slack"]).expect_success();
    for part in [
        "scope slack-api  Slack",
        "\n  slack-pins-read\n    Read pinned items.\n      GET POST  slack.com  /api/pins.list\n",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {shown}");
    }
    let all = home
        .cli(["catalog", "show", "slack", "-v"])
        .expect_success();
    for (output, is_all) in [(&shown, false), (&all, true)] {
        assert_eq!(output.stdout.contains(" more\n"), !is_all, "{output}");
        assert_eq!(
            output.stdout.contains("/api/views.publish"),
            is_all,
            "{output}"
        );
    }
    let by_scope = home.cli(["catalog", "show", "slack-api"]).expect_success();
    assert_eq!(by_scope.stdout, shown.stdout);
    let json = home
        .cli(["catalog", "show", "slack", "--format", "json"])
        .expect_success()
        .json();
    let permissions = json["scopes"][0]["permissions"]
        .as_array()
        .expect("permissions");
    let pins = permissions
        .iter()
        .find(|one| one["name"] == "slack-pins-read")
        .expect("pins");
    assert_eq!(
        pins["schema"]["properties"]["path"],
        json!({"const": "/api/pins.list"})
    );
    assert_eq!(
        pins["matches"],
        json!([{"methods": ["GET", "POST"], "domains": ["slack.com"], "paths": ["/api/pins.list"], "conditions": []}])
    );
}

#[test]
fn an_unknown_service_is_answered_with_names_like_it() {
    let home = Home::new();
    for (wanted, hint) in [
        ("githbu", "did you mean github"),
        ("drive", "did you mean google-drive"),
        ("nothing-like-it", "; `catalog list` names them all"),
    ] {
        let outcome = home.cli(["catalog", "show", wanted]);
        let missing = format!("no service '{wanted}' is in the catalog");
        assert_refused(&outcome, &[&missing, hint]);
    }
    let permission = home.cli(["catalog", "show", "slack-pins-read"]);
    assert_refused(&permission, &["is a permission of the service slack"]);
    home.cli(["catalog", "show"])
        .expect_usage_error("Error: Missing argument 'SERVICE'.");
}

#[test]
fn an_import_is_used_at_once_by_the_commands_and_reset_ends_it() {
    let home = Home::new();
    let (here, there) = (
        "https://slack.com/api/pins.list",
        "https://slack.example/anything",
    );
    assert_eq!(
        (verdict(&home, here), verdict(&home, there)),
        (json!("allow"), json!("deny"))
    );
    let root = detent(&home);
    let outcome = home
        .cli(["catalog", "import", "--detent-root", "detent"])
        .expect_success();
    let origin = format!(
        "imported from {}/src/schemas/builtin (detent 9.8.7)",
        root.display()
    );
    for part in [
        origin.as_str(),
        "2 new to this program: google-slides-api, google-slides-read-all",
        "their built-in schemas are kept",
        "from its next start",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome}");
    }
    assert_eq!(mode(&imported(&home)), 0o600);
    assert_eq!(
        (verdict(&home, here), verdict(&home, there)),
        (json!("deny"), json!("allow"))
    );
    assert_eq!(
        verdict(&home, "https://api.github.com/user"),
        "allow",
        "what the import lacks is kept"
    );
    for command in [
        ["catalog", "list"].as_slice(),
        &["catalog", "show", "slack"],
        &["catalog", "show", "google-slides"],
    ] {
        let shown = home.cli(command).expect_success();
        assert!(shown.stdout.contains(&origin), "{shown}");
    }
    let listed = home
        .cli(["catalog", "list", "--format", "json"])
        .expect_success()
        .json();
    assert_eq!(listed["origin"]["kind"], "imported", "{listed}");
    assert_eq!(listed["origin"]["version"], "9.8.7", "{listed}");

    home.cli(["catalog", "reset"]).expect_success();
    assert!(!imported(&home).exists());
    assert_eq!(
        (verdict(&home, here), verdict(&home, there)),
        (json!("allow"), json!("deny"))
    );
    let again = home.cli(["catalog", "reset"]).expect_success();
    assert!(again.stdout.contains("Nothing was imported"), "{again}");
}

#[test]
fn an_installed_package_is_found_where_npm_puts_it() {
    let home = Home::new();
    let module = "// generated\nexport const generatedBuiltinSchemas = {\n    \"any\": {},\n    \"slack-api\": { \"properties\": { \"domain\": { \"const\": \"slack.example\" } } },\n};\n";
    home.write(
        "project/node_modules/@imbue-ai/detent/dist/src/schemas/generatedBuiltinSchemas.js",
        module,
        0o644,
    );
    home.write(
        "project/node_modules/@imbue-ai/detent/package.json",
        r#"{"name": "@imbue-ai/detent", "version": "1.10.0"}"#,
        0o644,
    );
    for root in [
        "project",
        "project/node_modules",
        "project/node_modules/@imbue-ai/detent",
        "project/node_modules/@imbue-ai/detent/dist",
    ] {
        let outcome = home
            .cli([
                "catalog",
                "import",
                "--format",
                "json",
                "--detent-root",
                root,
            ])
            .expect_success()
            .json();
        assert_eq!(outcome["origin"]["version"], "1.10.0", "{root}: {outcome}");
        assert_eq!(outcome["added"], json!([]), "{root}: {outcome}");
    }
}

#[test]
fn what_cannot_be_used_is_named_and_leaves_what_was_there() {
    let home = Home::new();
    import(&home);
    let before = read_json(&imported(&home));
    home.write(
        "broken/builtin/slack.json",
        r#"{"slack-api": {"properties": {"path": {"type": "string", "pattern": "("}}}, "slack-read-all": {}}"#,
        0o644,
    );
    let refused = home.cli(["catalog", "import", "--detent-root", "broken"]);
    let parts = [
        "1 of its schemas cannot be used, and nothing was imported: slack-api of slack.json",
        "--skip-unusable",
    ];
    assert_refused(&refused, &parts);
    let missing = home.cli(["catalog", "import", "--detent-root", "nowhere"]);
    assert_refused(&missing, &["there is no directory", "nowhere"]);
    assert_eq!(read_json(&imported(&home)), before);
    let rest = home
        .cli([
            "catalog",
            "import",
            "--detent-root",
            "broken",
            "--skip-unusable",
        ])
        .expect_success();
    assert!(
        rest.stdout.contains("left out: slack-api of slack.json"),
        "{rest}"
    );
}

#[test]
fn a_damaged_import_is_an_error_and_not_another_catalog() {
    let home = Home::new();
    import(&home);
    home.write("latchkey/mngr_latchkey/latchkey_catalog.json", "{}", 0o600);
    for command in [
        ["catalog", "list"].as_slice(),
        &["gateway", "--listen-port", "0"],
    ] {
        let parts = ["latchkey_catalog.json is broken", "catalog reset"];
        assert_refused(&home.cli(command), &parts);
    }
    home.cli(["catalog", "reset"]).expect_success();
    home.cli(["catalog", "list"]).expect_success();
}

#[tokio::test]
async fn a_gateway_that_starts_uses_the_imported_catalog_and_logs_it() {
    let home = Home::new();
    import(&home);
    let gateway = Gateway::in_home(home).start().await;
    gateway
        .process()
        .logged("the catalog's origin", |log| {
            log.contains("the service catalog is imported from ")
                .then_some(())
        })
        .await;
    let slides = gateway
        .admin()
        .get("/permissions/available/google-slides")
        .await
        .expect(200);
    assert_eq!(slides.json()[0]["scope"], "google-slides-api", "{slides}");
    let agent = gateway.agent("a").await;
    let ask = json!({
        "agent_id": agent.id,
        "rationale": "slides",
        "type": "predefined",
        "payload": {"scope": "google-slides-api", "permissions": ["google-slides-read-all"]},
    });
    let id = agent
        .post("/permission-requests", ask)
        .await
        .expect(201)
        .id();
    gateway.admin().approve(id).await.expect(200);
    agent.get("/permissions/self").await.expect(200);

    let (_, home) = gateway.terminate().await;
    home.cli(["catalog", "reset"]).expect_success();
    let gateway = Gateway::in_home(home).start().await;
    gateway
        .admin()
        .get("/permissions/available/google-slides")
        .await
        .expect(404);
    gateway
        .admin()
        .get("/permissions/available/slack")
        .await
        .expect(200);
}

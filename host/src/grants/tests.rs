use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::permissions::{BuiltinSchemas, Decision, Engine, Request};
use crate::store::permissions_file::read_with_origins;

struct Fixture {
    _keep: tempfile::TempDir,
    path: PathBuf,
    schemas: BuiltinSchemas,
    engine: Engine,
}

impl Fixture {
    /// A fresh agent's file with these rules more.
    fn with_rules(rules: &Value) -> Self {
        let mut config = agent_baseline();
        let all = config["rules"].as_array_mut().unwrap();
        all.extend(rules.as_array().unwrap().iter().cloned());
        Self::with(&Value::Object(config))
    }

    fn with(config: &Value) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().canonicalize().unwrap().join("p.json");
        fs::write(&path, config.to_string()).unwrap();
        let schemas = BuiltinSchemas::standard();
        let engine = Engine::new(schemas.clone());
        Self {
            _keep: keep,
            path,
            schemas,
            engine,
        }
    }

    fn editor(&self) -> Editor<'_> {
        Editor {
            engine: &self.engine,
            schemas: &self.schemas,
            user: "me".to_owned(),
        }
    }

    fn grant(&self, scope: &str, permissions: &[&str]) -> Result<Outcome, String> {
        let wish = Wish::Permissions {
            scope: scope.to_owned(),
            permissions: owned(permissions),
        };
        let granted = self
            .editor()
            .grant(&self.path, &wish, Missing::Refuse, Run::Made);
        granted.map_err(|error| error.to_string())
    }

    fn share(&self, path: &str, access: Access) -> Result<Outcome, String> {
        let path = SharedPath::parse(path).unwrap();
        let wish = Wish::Share { path, access };
        let granted = self
            .editor()
            .grant(&self.path, &wish, Missing::Refuse, Run::Made);
        granted.map_err(|error| error.to_string())
    }

    fn revoke(&self, scope: &str, permissions: &[&str]) -> Result<Outcome, String> {
        let removal = Removal::Permissions {
            scope: scope.to_owned(),
            permissions: owned(permissions),
        };
        let revoked = self.editor().revoke(&self.path, &removal, Run::Made);
        revoked.map_err(|error| error.to_string())
    }

    fn unshare(&self, path: &str, access: Option<Access>) -> Outcome {
        let path = SharedPath::parse(path).unwrap();
        let removal = Removal::Share { path, access };
        self.editor()
            .revoke(&self.path, &removal, Run::Made)
            .unwrap()
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.path).unwrap()).unwrap()
    }

    /// The rules without those of the baseline, compactly.
    fn rules(&self) -> String {
        let config = self.config();
        let rules = config["rules"].as_array().unwrap().clone();
        let baseline = agent_baseline();
        let baseline = baseline["rules"].as_array().unwrap();
        let own: Vec<_> = rules
            .into_iter()
            .filter(|rule| !baseline.contains(rule))
            .collect();
        Value::from(own).to_string()
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn nothing_changed(outcome: Result<Outcome, String>) -> Vec<Remark> {
    let outcome = outcome.unwrap();
    assert!(outcome.changes.is_empty(), "{outcome:?}");
    outcome.remarks
}

#[test]
fn granting_unites_and_revoking_takes_away_again() {
    let fixture = Fixture::with_rules(&json!([{"slack-api": ["slack-read-all"]}]));
    let before = fixture.config();
    let outcome = fixture
        .grant("slack-api", &["slack-write-all", "slack-read-all"])
        .unwrap();
    assert_eq!(outcome.changes.len(), 1, "{outcome:?}");
    assert_eq!(outcome.changes[0].permissions, ["slack-write-all"]);
    assert_eq!(
        fixture.rules(),
        r#"[{"slack-api":["slack-read-all","slack-write-all"]}]"#
    );
    nothing_changed(fixture.grant("slack-api", &["slack-write-all"]));
    fixture.revoke("slack-api", &["slack-write-all"]).unwrap();
    nothing_changed(fixture.revoke("slack-api", &["slack-write-all"]));
    assert_eq!(fixture.config().to_string(), before.to_string());
}

#[test]
fn sharing_and_its_reverse_leave_the_file_as_it_was() {
    let fixture = Fixture::with_rules(&json!([]));
    let before = fixture.config();
    fixture.share("/d/a b/", Access::Read).unwrap();
    fixture.share("/d/a b", Access::Write).unwrap();
    let config = fixture.config();
    let path = SharedPath::parse("/d/a b").unwrap();
    for access in [Access::Read, Access::Write] {
        let effect = Effect::file_sharing(&path, access);
        let (name, schema) = effect.schemas.iter().next().unwrap();
        assert_eq!(config["schemas"][name].to_string(), schema.to_string());
    }
    fixture.unshare("/d/a b/", Some(Access::Read));
    assert!(
        fixture.config()["schemas"]
            .get("minds-file-server-write-/d/a b")
            .is_some()
    );
    fixture.unshare("/d/a b", None);
    assert_eq!(fixture.config().to_string(), before.to_string());
    nothing_changed(Ok(fixture.unshare("/d/a b", None)));
}

#[test]
fn what_shares_as_an_older_version_named_it_can_be_taken_back() {
    let fixture = Fixture::with_rules(&json!([]));
    let mut config = fixture.config();
    let name = "minds-file-server-read-/d/dir/";
    config["schemas"][name] = json!({"properties": {"path": {"const": "/x"}}});
    config["rules"][1]["latchkey-self"]
        .as_array_mut()
        .unwrap()
        .push(name.into());
    fs::write(&fixture.path, config.to_string()).unwrap();
    fixture.unshare("/d/dir", Some(Access::Read));
    assert!(!fixture.config().to_string().contains(name));
}

#[test]
fn unknown_names_are_refused_with_those_that_may_be_meant() {
    let fixture = Fixture::with_rules(&json!([]));
    let before = fs::read(&fixture.path).unwrap();
    for (scope, permission, expected) in [
        (
            "slack-api",
            "slack-raed-all",
            "did you mean slack-read-all?",
        ),
        (
            "slack-api",
            "github-read-all",
            "'github-read-all' is no permission under 'slack-api'",
        ),
        ("slack-api", "slack-api", "is no permission under"),
        ("slack", "slack-read-all", "did you mean slack-api?"),
        ("slack-apy", "slack-read-all", "did you mean slack-api?"),
        ("slack-read-all", "slack-read-all", "is no scope"),
        ("zebra", "any", "see `catalog list`"),
        ("any", "any", "would decide every request"),
        (
            "latchkey-self",
            "latchkey-self-read-self",
            "did you mean latchkey-self-read-self-permissions?",
        ),
    ] {
        let error = fixture.grant(scope, &[permission]).unwrap_err();
        assert!(error.contains(expected), "{scope} {permission}: {error}");
        assert!(error.contains(&*fixture.path.to_string_lossy()), "{error}");
    }
    assert_eq!(fs::read(&fixture.path).unwrap(), before);
}

#[test]
fn what_the_file_or_an_included_one_defines_can_be_granted() {
    let fixture = Fixture::with(&json!({
        "include": ["shared.json"],
        "schemas": {"mine": {"properties": {"method": {"const": "GET"}}}},
        "rules": [],
    }));
    let shared =
        json!({"schemas": {"theirs": {"properties": {"domain": {"const": "example.org"}}}}});
    fs::write(
        fixture.path.with_file_name("shared.json"),
        shared.to_string(),
    )
    .unwrap();
    fixture.grant("theirs", &["mine"]).unwrap();
    fixture.grant("slack-api", &["mine", "any"]).unwrap();
    assert_eq!(
        fixture.rules(),
        r#"[{"theirs":["mine"]},{"slack-api":["mine","any"]}]"#
    );
}

#[test]
fn a_file_that_the_gateway_could_not_use_is_left_as_it_is() {
    // The admin's file does not know the scope of what is shared.
    let fixture = Fixture::with(&json!({"rules": [{"any": ["any"]}]}));
    let error = fixture.share("/d", Access::Read).unwrap_err();
    assert!(error.contains("latchkey-self"), "{error}");
    let fixture = Fixture::with(&json!({"rules": [{"nonsense": []}, {"slack-api": ["any"]}]}));
    let error = fixture.revoke("slack-api", &[]).unwrap_err();
    assert!(
        error.contains("could not decide") || error.contains("nonsense"),
        "{error}"
    );
    for broken in ["{", "[]"] {
        fs::write(&fixture.path, broken).unwrap();
        assert!(fixture.grant("slack-api", &["any"]).is_err());
        assert_eq!(fs::read_to_string(&fixture.path).unwrap(), broken);
    }
    fs::write(&fixture.path, r#"{"rules": {}}"#).unwrap();
    let error = fixture.revoke("slack-api", &[]).unwrap_err();
    assert!(error.contains("'rules' that are not an array"), "{error}");
}

#[test]
fn an_emptied_rule_goes_where_nothing_else_could_take_over() {
    let fixture =
        Fixture::with_rules(&json!([{"slack-api": ["any"]}, {"github-rest-api": ["any"]}]));
    assert!(
        fixture
            .revoke("slack-api", &["any"])
            .unwrap()
            .remarks
            .is_empty()
    );
    assert_eq!(fixture.rules(), r#"[{"github-rest-api":["any"]}]"#);
    assert!(
        fixture
            .revoke("github-rest-api", &[])
            .unwrap()
            .remarks
            .is_empty()
    );
    assert_eq!(fixture.rules(), "[]");
    nothing_changed(fixture.revoke("github-rest-api", &[]));
}

#[test]
fn scopes_are_apart_where_their_domains_say_so() {
    for (later, schemas, stays) in [
        ("google-docs-api", json!({}), false),
        ("google-gmail-api", json!({}), true),
        ("google-calendar-api", json!({}), true),
        (
            "mine",
            json!({"mine": {"properties": {"domain": {"const": "example.org"}}}}),
            false,
        ),
        (
            "mine",
            json!({"mine": {"properties": {"domain": {"pattern": "."}}}}),
            true,
        ),
        ("google-docs-api", json!({"google-docs-api": {}}), true),
    ] {
        let fixture = Fixture::with(&json!({
            "schemas": schemas,
            "rules": [{"google-drive-api": ["any"]}, {later: ["any"]}],
        }));
        fixture.revoke("google-drive-api", &[]).unwrap();
        let is_there = fixture.rules().contains("google-drive-api");
        assert_eq!(is_there, stays, "{later} {schemas}: {}", fixture.rules());
    }
}

/// A rule whose scopes overlap in every way, in every form without hooks.
fn rule() -> impl Strategy<Value = Value> {
    let scopes = prop::sample::select(vec!["slack-api", "github-rest-api", "any", "slack", "read"]);
    let names = prop::sample::subsequence(
        vec!["any", "slack-read-all", "github-read-all", "read"],
        0..3,
    );
    (scopes, names, any::<bool>()).prop_map(|(scope, names, is_object)| match is_object {
        true => json!({ scope: {"schemas": names} }),
        false => json!({ scope: names }),
    })
}

proptest! {
    #[test]
    fn revoking_never_allows_more(
        rules in prop::collection::vec(rule(), 0..6),
        scope in prop::sample::select(vec!["slack-api", "github-rest-api", "any", "slack", "read"]),
        names in prop::sample::subsequence(vec!["any", "slack-read-all", "read"], 0..3),
    ) {
        let schemas = json!({
            "slack": {"properties": {"domain": {"const": "slack.com"}}},
            "read": {"properties": {"method": {"const": "GET"}}},
        });
        let fixture = Fixture::with(&json!({"schemas": schemas, "rules": rules}));
        let allowed = || {
            let engine = Engine::new(fixture.schemas.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            ["slack.com/api/users.list", "api.github.com/user", "example.org/"].map(|place| {
                ["GET", "POST"].map(|method| {
                    let url = format!("https://{place}").parse().unwrap();
                    let request = Request::new(method, &url, std::iter::empty(), None, None);
                    let verdict = runtime.block_on(engine.judge(&fixture.path, &request)).unwrap();
                    verdict.decision == Decision::Allowed
                })
            })
        };
        let before = allowed();
        fixture.revoke(scope, &names).unwrap();
        for (was, is) in before.concat().iter().zip(allowed().concat()) {
            prop_assert!(*was || !is, "{rules:?} became {}", fixture.rules());
        }
    }
}

#[test]
fn an_emptied_rule_stays_and_denies_where_a_later_one_could_take_over() {
    let stays = Remark::StaysEmpty("slack-api".to_owned());
    for later in [
        json!({"any": ["any"]}),
        json!({"mine": ["any"]}),
        json!({"slack-api": ["any"]}),
    ] {
        let fixture = Fixture::with(&json!({
            "schemas": {"mine": {}},
            "rules": [{"slack-api": ["slack-read-all"]}, later],
        }));
        let outcome = fixture.revoke("slack-api", &["slack-read-all"]).unwrap();
        assert_eq!(outcome.remarks, std::slice::from_ref(&stays), "{later}");
        assert_eq!(
            fixture.rules(),
            json!([{"slack-api": []}, later]).to_string()
        );
        let remarks = nothing_changed(fixture.revoke("slack-api", &["slack-read-all"]));
        assert!(remarks.is_empty(), "{remarks:?}");
    }
}

#[test]
fn all_rules_of_a_scope_go_together() {
    let fixture =
        Fixture::with_rules(&json!([{"slack-api": ["slack-read-all"]}, {"slack-api": ["any"]}]));
    let outcome = fixture.revoke("slack-api", &[]).unwrap();
    assert_eq!(outcome.changes[0].permissions, ["slack-read-all", "any"]);
    assert_eq!(fixture.rules(), "[]");
}

#[test]
fn what_still_allows_the_same_is_said() {
    let remains = |fixture: &Fixture, permission: &str, file: &str| {
        [Remark::Remains {
            scope: "slack-api".to_owned(),
            permission: permission.to_owned(),
            file: fixture.path.with_file_name(file),
        }]
    };
    let any = Fixture::with_rules(&json!([{"slack-api": ["slack-read-all", "any"]}]));
    let outcome = any.revoke("slack-api", &["slack-read-all"]).unwrap();
    assert_eq!(outcome.remarks, remains(&any, "any", "p.json"));
    let remarks = nothing_changed(any.revoke("slack-api", &["slack-read-all"]));
    assert_eq!(remarks, remains(&any, "any", "p.json"));

    let including = Fixture::with(&json!({
        "include": ["included.json"],
        "rules": [{"slack-api": ["slack-read-all", "slack-chat-read"]}],
    }));
    let included = json!({"rules": [{"slack-api": ["slack-read-all"]}]});
    fs::write(
        including.path.with_file_name("included.json"),
        included.to_string(),
    )
    .unwrap();
    let outcome = including.revoke("slack-api", &["slack-chat-read"]).unwrap();
    assert_eq!(outcome.remarks, []);
    let outcome = including.revoke("slack-api", &[]).unwrap();
    let there = remains(&including, "slack-read-all", "included.json");
    assert_eq!(outcome.remarks, there);
    let remarks = nothing_changed(including.revoke("slack-api", &["slack-read-all"]));
    assert_eq!(remarks, there);
}

#[test]
fn a_rule_that_is_there_to_deny_stays() {
    let fixture = Fixture::with_rules(&json!([]));
    let scope = "minds-api-proxy-per-agent-unauthorized";
    let remarks = nothing_changed(fixture.revoke(scope, &[]));
    assert_eq!(remarks, [Remark::DeniesAlready(scope.to_owned())]);
}

#[test]
fn hooks_stay_and_never_come_to_decide_alone() {
    let hooked = json!([{"slack-api": {"hooks": ["./h"], "schemas": ["slack-read-all", "any"]}}]);
    let fixture = Fixture::with_rules(&hooked);
    fixture.revoke("slack-api", &["any"]).unwrap();
    let left = r#"[{"slack-api":{"hooks":["./h"],"schemas":["slack-read-all"]}}]"#;
    assert_eq!(fixture.rules(), left);
    let error = fixture
        .revoke("slack-api", &["slack-read-all"])
        .unwrap_err();
    assert!(error.contains("leave out --permission"), "{error}");
    assert_eq!(fixture.rules(), left);
    fixture.grant("slack-api", &["any"]).unwrap();
    assert_eq!(fixture.rules(), hooked.to_string());
    let gone = fixture.revoke("slack-api", &[]).unwrap();
    assert_eq!(gone.remarks, [Remark::HooksGone("slack-api".to_owned())]);
    assert_eq!(fixture.rules(), "[]");

    let alone = Fixture::with_rules(&json!([{"slack-api": {"hooks": ["./h"]}}]));
    let remarks = nothing_changed(alone.grant("slack-api", &["any"]));
    assert_eq!(remarks, [Remark::HooksAlone("slack-api".to_owned())]);
    nothing_changed(alone.revoke("slack-api", &["any"]));
}

#[test]
fn an_object_without_permissions_is_never_left_behind() {
    // Without hooks and without schemas it would allow everything.
    let fixture =
        Fixture::with(&json!({"rules": [{"slack-api": {"schemas": ["any"]}}, {"any": []}]}));
    fixture.revoke("slack-api", &["any"]).unwrap();
    assert_eq!(fixture.rules(), r#"[{"slack-api":[]},{"any":[]}]"#);
}

#[test]
fn a_missing_file_is_created_only_where_that_is_asked_for() {
    let fixture = Fixture::with_rules(&json!([]));
    fs::remove_file(&fixture.path).unwrap();
    let error = fixture.grant("slack-api", &["any"]).unwrap_err();
    assert!(
        error.starts_with("there is no permissions file "),
        "{error}"
    );
    assert!(fixture.revoke("slack-api", &[]).is_err() && !fixture.path.exists());
    let wish = Wish::Permissions {
        scope: "slack-api".to_owned(),
        permissions: owned(&["any"]),
    };
    let grant = |run| {
        let editor = fixture.editor();
        editor
            .grant(&fixture.path, &wish, Missing::Create, run)
            .unwrap()
    };
    let outcome = grant(Run::Dry);
    assert!(outcome.created && outcome.changes.len() == 1, "{outcome:?}");
    assert!(!fixture.path.exists());
    let outcome = grant(Run::Made);
    assert!(outcome.created && outcome.changes.len() == 1, "{outcome:?}");
    assert_eq!(fixture.rules(), r#"[{"slack-api":["any"]}]"#);
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let fixture = Fixture::with_rules(&json!([{"slack-api": ["any"]}]));
    let before = fs::read(&fixture.path).unwrap();
    let removal = Removal::Permissions {
        scope: "slack-api".to_owned(),
        permissions: Vec::new(),
    };
    let revoke = |run| {
        fixture
            .editor()
            .revoke(&fixture.path, &removal, run)
            .unwrap()
    };
    let dry = revoke(Run::Dry);
    assert_eq!(fs::read(&fixture.path).unwrap(), before);
    assert_eq!(revoke(Run::Made).changes, dry.changes);
    assert_ne!(fs::read(&fixture.path).unwrap(), before);
}

#[test]
fn a_grant_is_noted_as_that_of_whoever_gave_the_command() {
    let fixture = Fixture::with_rules(&json!([]));
    fixture.grant("slack-api", &["any"]).unwrap();
    let (_, origins) = read_with_origins(&fixture.path).unwrap().unwrap();
    let origin = origins.of("slack-api", Some("any")).unwrap();
    assert_eq!(
        origin.by,
        By::CommandLine {
            user: "me".to_owned()
        }
    );
}

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::super::permissions_file::{edit, read, read_with_origins, replace};
use super::*;

struct Fixture {
    _keep: tempfile::TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().canonicalize().unwrap().join("p.json");
        Self { _keep: keep, path }
    }

    fn journal(&self) -> PathBuf {
        self.path.with_file_name("p.json.grants.jsonl")
    }

    /// As an extension does it.
    fn replace(&self, content: &Value, by: &By) {
        let base = read(&self.path).unwrap().map(|reading| reading.version);
        replace(&self.path, content.to_string().as_bytes(), base, by).unwrap();
    }

    /// As the command line does it.
    fn rules(&self, rules: &Value) {
        edit::<Infallible>(&self.path, Some(&command_line()), |config| {
            let mut config = config.unwrap_or_default();
            config.insert("rules".to_owned(), rules.clone());
            Ok(config)
        })
        .unwrap();
    }

    fn origin(&self, scope: &str, permission: &str) -> Option<By> {
        let (_, origins) = read_with_origins(&self.path).unwrap().unwrap();
        let origin = origins.of(scope, Some(permission))?;
        assert!(origin.at <= Timestamp::now());
        Some(origin.by.clone())
    }
}

fn command_line() -> By {
    By::CommandLine {
        user: "me".to_owned(),
    }
}

fn approval(id: &str) -> By {
    By::Approval {
        request_id: id.to_owned(),
        agent_id: None,
        extension: "e".to_owned(),
    }
}

fn changes(before: &Value, after: &Value) -> String {
    let changes = between(before.as_object().unwrap(), after.as_object().unwrap());
    let shown: Vec<_> = changes
        .iter()
        .map(|change| {
            format!(
                "{:?} {} {:?}",
                change.action, change.scope, change.permissions
            )
        })
        .collect();
    shown.join("; ").replace('"', "")
}

#[test]
fn what_an_edit_changes_is_told_in_the_order_of_the_file() {
    let rules = |rules: Value| json!({ "rules": rules });
    for (before, after, expected) in [
        (
            json!([]),
            json!([{"b": ["y", "x", "y"]}, {"a": ["z"]}]),
            "Grant b [y, x]; Grant a [z]",
        ),
        (
            json!([{"a": ["x", "y"]}]),
            json!([{"a": ["z", "y"]}]),
            "Grant a [z]; Revoke a [x]",
        ),
        (json!([{"a": ["x"]}]), json!([]), "Revoke a [x]"),
        (json!([{"a": ["x"]}]), json!([{"a": []}]), "Revoke a [x]"),
        (
            json!([]),
            json!([{"a": []}, {"b": {"hooks": ["h"]}}]),
            "Grant a []; Grant b []",
        ),
        (json!([{"a": []}]), json!([]), "Revoke a []"),
        (
            json!([{"a": ["x"]}, {"a": ["y"]}]),
            json!([{"a": {"hooks": ["h"], "schemas": ["y", "x"]}}]),
            "",
        ),
        (
            json!([{"a": ["x"]}, 5, {"b": [], "c": []}, {"d": 1}]),
            json!([{"a": ["x"]}]),
            "",
        ),
    ] {
        assert_eq!(
            changes(&rules(before.clone()), &rules(after.clone())),
            expected,
            "{before} {after}"
        );
    }
}

#[test]
fn a_permission_that_is_defined_anew_is_told_wherever_it_is_granted() {
    let file = |pattern: &str| {
        json!({
            "schemas": {"s": {"properties": {"path": {"pattern": pattern}}}},
            "rules": [{"a": ["s", "t"]}, {"b": ["s"]}, {"c": ["t"]}],
        })
    };
    assert_eq!(
        changes(&file("x"), &file("y")),
        "Replace a [s]; Replace b [s]"
    );
    assert_eq!(changes(&file("x"), &file("x")), "");
}

#[test]
fn each_grant_has_the_edit_that_added_it_last() {
    let fixture = Fixture::new();
    fixture.replace(&json!({"rules": [{"a": ["x"]}]}), &approval("1"));
    fixture.replace(&json!({"rules": [{"a": ["x", "y"]}]}), &approval("2"));
    fixture.rules(&json!([{"a": ["x", "y"]}, {"b": ["x"]}]));
    assert_eq!(fixture.origin("a", "x"), Some(approval("1")));
    assert_eq!(fixture.origin("a", "y"), Some(approval("2")));
    assert_eq!(fixture.origin("b", "x"), Some(command_line()));
    fixture.rules(&json!([{"a": ["y"]}]));
    fixture.replace(&json!({"rules": [{"a": ["x", "y"]}]}), &approval("3"));
    assert_eq!(fixture.origin("a", "x"), Some(approval("3")));
    assert_eq!(fixture.origin("b", "x"), None);
    let mode = fs::metadata(fixture.journal())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_written_by_hand_has_no_origin() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"a": ["x"]}]));
    let by_hand = json!({"rules": [{"a": ["x", "hand"]}]});
    fs::write(&fixture.path, by_hand.to_string()).unwrap();
    assert_eq!(fixture.origin("a", "hand"), None);
    assert_eq!(fixture.origin("a", "x"), Some(command_line()));
    fixture.rules(&json!([{"a": ["x", "hand", "y"]}]));
    assert_eq!(fixture.origin("a", "hand"), None, "it was there before");
}

#[test]
fn a_note_of_an_edit_that_was_not_made_counts_for_nothing() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"a": ["x"]}]));
    let before = fs::read(&fixture.path).unwrap();
    fixture.replace(&json!({"rules": [{"a": ["x", "y"]}]}), &approval("lost"));
    // As after a crash between the two writes.
    fs::write(&fixture.path, &before).unwrap();
    assert_eq!(fixture.origin("a", "y"), None);
    fixture.rules(&json!([{"a": ["x"]}, {"b": ["z"]}]));
    let by_hand = json!({"rules": [{"a": ["x", "y"]}, {"b": ["z"]}]});
    fs::write(&fixture.path, by_hand.to_string()).unwrap();
    assert_eq!(
        fixture.origin("a", "y"),
        None,
        "the next edit has removed it"
    );
    assert_eq!(fixture.origin("a", "x"), Some(command_line()));
    assert_eq!(fixture.origin("b", "z"), Some(command_line()));
}

#[test]
fn a_failed_edit_leaves_no_note() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"a": ["x"]}]));
    let before = fs::read(fixture.journal()).unwrap();
    let after = br#"{"rules": [{"a": ["x", "y"]}]}"#;
    let content = fs::read(&fixture.path).unwrap();
    let note = Note::take(&fixture.path, Some(&content), after, &approval("1")).unwrap();
    assert_ne!(fs::read(fixture.journal()).unwrap(), before);
    note.withdraw();
    assert_eq!(fs::read(fixture.journal()).unwrap(), before);
}

#[test]
fn a_cut_line_is_passed_over_and_what_another_version_wrote_stays() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"a": ["x"]}]));
    let foreign = "{\"at\": \"of the future\"}\n";
    let mut journal = fs::read_to_string(fixture.journal()).unwrap();
    journal.push_str(foreign);
    journal.push_str("{\"at\": \"2026-");
    fs::write(fixture.journal(), &journal).unwrap();
    assert_eq!(fixture.origin("a", "x"), Some(command_line()));
    fixture.replace(&json!({"rules": [{"a": ["x", "y"]}]}), &approval("1"));
    assert_eq!(fixture.origin("a", "x"), Some(command_line()));
    assert_eq!(fixture.origin("a", "y"), Some(approval("1")));
    let journal = fs::read_to_string(fixture.journal()).unwrap();
    assert!(
        journal.contains(foreign) && !journal.contains("2026-\n"),
        "{journal}"
    );
}

#[test]
fn a_line_that_lacks_nothing_but_its_end_counts() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"a": ["x"]}]));
    let journal = fs::read_to_string(fixture.journal()).unwrap();
    fs::write(fixture.journal(), journal.trim_end()).unwrap();
    fixture.rules(&json!([{"a": ["x", "y"]}]));
    assert_eq!(fixture.origin("a", "x"), Some(command_line()));
    assert_eq!(fixture.origin("a", "y"), Some(command_line()));
}

#[test]
fn a_grown_journal_keeps_what_still_counts() {
    let fixture = Fixture::new();
    fixture.rules(&json!([{"old": ["x"]}, {"empty": []}]));
    let long = approval(&"1".repeat(20_000));
    for _ in 0..20 {
        fixture.replace(
            &json!({"rules": [{"old": ["x"]}, {"empty": []}, {"a": ["x"]}]}),
            &long,
        );
        fixture.rules(&json!([{"old": ["x"]}, {"empty": []}]));
    }
    let size = fs::metadata(fixture.journal()).unwrap().len();
    assert!(size < 300_000, "{size}");
    assert_eq!(fixture.origin("old", "x"), Some(command_line()));
    assert_eq!(fixture.origin("a", "x"), None);
    let (_, origins) = read_with_origins(&fixture.path).unwrap().unwrap();
    assert!(origins.of("empty", None).is_some());
}

#[test]
fn trouble_with_the_journal_keeps_no_edit_from_being_made() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.journal()).unwrap();
    fixture.rules(&json!([{"a": ["x"]}]));
    assert_eq!(fixture.origin("a", "x"), None);
    let content = fs::read_to_string(&fixture.path).unwrap();
    assert!(content.contains("\"x\""), "{content}");
}

#[test]
fn an_edit_that_grants_nothing_is_not_noted() {
    let fixture = Fixture::new();
    fixture.rules(&json!([]));
    fixture.replace(&json!({"rules": [], "schemas": {"s": {}}}), &command_line());
    fixture.replace(&json!([]), &command_line());
    assert!(!fixture.journal().exists());
}

#[test]
fn an_entry_is_one_line_that_people_can_read() {
    let fixture = Fixture::new();
    fixture.replace(
        &json!({"rules": [{"a": ["x"]}]}),
        &By::RulesPost {
            extension: "permissions".to_owned(),
        },
    );
    let journal = fs::read_to_string(fixture.journal()).unwrap();
    let (at, rest) = journal.split_once(",\"by\"").unwrap();
    assert!(
        at.starts_with("{\"at\":\"20") && at.ends_with("Z\""),
        "{journal}"
    );
    assert_eq!(
        rest,
        ":{\"kind\":\"rules-post\",\"extension\":\"permissions\"},\
         \"changes\":[{\"action\":\"grant\",\"scope\":\"a\",\"permissions\":[\"x\"]}],\"from\":null}\n"
    );
}

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::logging::captured::records;
use crate::permissions::{DecidingRule, Decision};

const PERMISSIONS: &str = "/d/permissions/0.json";

fn denial(cause: Cause) -> Denial {
    let request = json!({
        "protocol": "https", "domain": "latchkey-self.invalid", "port": 1, "path": "/x", "method": "GET",
        "headers": {"authorization": null}, "queryParams": {"a": "\u{1b}[2J\n"},
    });
    Denial {
        at: Timestamp::UNIX_EPOCH,
        request_id: "0123456789abcdef0123456789abcdef".to_owned(),
        cause,
        enforced: true,
        permissions: PERMISSIONS.into(),
        host: HostId::parse(&format!("host-{}", "1".repeat(32))).ok(),
        request: LoggedRequest::parse(&request.to_string()).unwrap(),
    }
}

fn rule(hook: Option<&str>) -> Cause {
    Cause::of(Ok(&Verdict {
        decision: Decision::Denied,
        rule: Some(DecidingRule {
            index: 3,
            scope: "slack-api".into(),
            file: Arc::from(Path::new("/d/permissions/included.json")),
        }),
        matched: None,
        denied_by: hook.map(Into::into),
    }))
}

/// What the log has of it, which is also what a supervisor takes over from its gateway.
fn record(log: impl FnOnce()) -> Record {
    let mut records = records("info", log);
    let mut line = Vec::new();
    records.pop().expect("a record").write_line(&mut line);
    assert!(records.is_empty(), "{records:?}");
    Record::parse(&line).expect("a record")
}

#[test]
fn a_denial_comes_back_from_the_log_as_it_went() {
    let error = CheckError::Interrupted("x".repeat(3000));
    for (cause, level, part) in [
        (Cause::NoRule, Level::INFO, "GET /x was denied: no rule"),
        (
            rule(None),
            Level::INFO,
            "rule 3 (slack-api) does not allow it",
        ),
        (
            rule(Some("./hook")),
            Level::INFO,
            "the hook ./hook of rule 3",
        ),
        (
            Cause::of(Err(&error)),
            Level::WARN,
            "the permission check failed",
        ),
    ] {
        let mut denial = denial(cause);
        let record = record(|| denial.log());
        assert_eq!(record.level(), level, "{record:?}");
        assert!(record.message().contains(part), "{record:?}");
        denial.at = record.timestamp();
        assert_eq!(Entry::read(&record), Some(Entry::One(denial)));
    }
}

#[test]
fn what_is_not_enforced_is_a_warning_that_says_so() {
    let mut denial = Denial {
        enforced: false,
        host: None,
        ..denial(rule(None))
    };
    let record = record(|| denial.log());
    assert_eq!(record.level(), Level::WARN);
    assert!(
        record.message().contains("let through in observe mode"),
        "{record:?}"
    );
    denial.at = record.timestamp();
    assert_eq!(Entry::read(&record), Some(Entry::One(denial)));
}

#[test]
fn counts_come_back_too() {
    for what in [
        None,
        Some(Kind {
            method: "GET".to_owned(),
            path: "/x".to_owned(),
            scope: Some("slack-api".to_owned()),
        }),
    ] {
        let mut summary = Summary {
            since: "2026-11-21T12:00:00Z".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            count: 17,
            enforced: false,
            permissions: PERMISSIONS.into(),
            host: denial(Cause::NoRule).host,
            what,
        };
        let record = record(|| summary.log());
        assert!(record.message().starts_with("17 more"), "{record:?}");
        summary.at = record.timestamp();
        assert_eq!(Entry::read(&record), Some(Entry::Many(summary)));
    }
}

#[test]
fn nobody_else_speaks_of_denials() {
    let genuine = record(|| denial(Cause::NoRule).log());
    let mut forged = Record::now(Level::INFO, "extension.evil", "x");
    for (name, value) in genuine.fields() {
        forged.set(name.to_owned(), value.clone());
    }
    assert_eq!(Entry::read(&forged), None);
    assert_eq!(Entry::read(&Record::now(Level::INFO, TARGET, "x")), None);
}

#[test]
fn however_long_everything_is_the_request_is_whole() {
    let long = format!("/{}", "p".repeat(20_000));
    let mut denial = denial(rule(Some(&long)));
    denial.permissions = long.into();
    let record = record(|| denial.log());
    match Entry::read(&record) {
        Some(Entry::One(read)) => assert_eq!(read.request, denial.request),
        other => panic!("{other:?}"),
    }
}

use secrecy::SecretString;
use tracing::{Level, debug, error, info, info_span, warn};

use super::super::captured::records;
use super::*;

fn fields(record: &Record) -> Vec<(&str, String)> {
    record
        .fields()
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

#[test]
fn an_event_is_a_record_with_its_values_as_they_are() {
    let records = records("trace", || {
        let error = std::io::Error::other("no route");
        warn!(count = 3, ratio = 0.5, ok = true, name = "x", %error, list = ?[1, 2], "it {}", "rains");
        info!(target: "somewhere", a = 1_u64);
    });
    let [first, second] = &*records else {
        panic!("{records:?}")
    };
    assert_eq!(
        (first.level(), first.target(), first.message()),
        (Level::WARN, module_path!(), "it rains")
    );
    let expected: [(&str, Value); 6] = [
        ("count", 3_u64.into()),
        ("ratio", 0.5.into()),
        ("ok", true.into()),
        ("name", "x".into()),
        ("error", "no route".into()),
        ("list", "[1, 2]".into()),
    ];
    assert!(
        first.fields().eq(expected.iter().map(|(n, v)| (*n, v))),
        "{first:?}"
    );
    assert_eq!((second.target(), second.message()), ("somewhere", ""));
}

#[test]
fn fields_of_the_spans_around_stand_beside_the_events_own_which_win() {
    let records = records("info", || {
        let outer = info_span!(
            "outer",
            host = "h",
            attempt = 1,
            late = tracing::field::Empty
        );
        let _outer = outer.enter();
        let _inner = info_span!("inner", attempt = 2, port = 22).entered();
        outer.record("late", "now");
        info!(port = 23, "connecting");
    });
    let expected = [
        ("port", "23"),
        ("attempt", "2"),
        ("host", "h"),
        ("late", "now"),
    ];
    assert_eq!(
        fields(&records[0]),
        expected.map(|(name, value)| (name, value.to_owned()))
    );
}

#[test]
fn what_an_extension_says_has_its_target_and_its_levels() {
    let say = || {
        info!(extension = "files", "hello");
        debug!(extension = "files", "more");
        info!(extension = "other", "quiet");
        debug!("ours");
    };
    let found = records("off,extension.files=debug", say);
    let found: Vec<_> = found.iter().map(|r| (r.target(), r.message())).collect();
    assert_eq!(
        found,
        [("extension.files", "hello"), ("extension.files", "more")]
    );
    let found = records("info", say);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn what_is_not_wanted_is_not_recorded() {
    let found = records("warn,mngr_latchkey=off", || {
        info!(target: "library", "no");
        warn!(target: "mngr_latchkey::gateway", "no");
        error!(target: "library", "yes");
    });
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_record_has_nothing_that_was_not_said_and_no_secret() {
    let secret = SecretString::from("correct horse battery staple");
    let records = records("trace", || {
        let _span = info_span!("span", ?secret).entered();
        error!(password = ?secret, "refused: {secret:?}");
    });
    let mut line = Vec::new();
    records[0].write_line(&mut line);
    let line = String::from_utf8(line).unwrap();
    assert!(!line.contains("horse"), "{line}");
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
    let names: Vec<&String> = object.keys().collect();
    let expected = [
        "timestamp",
        "level",
        "target",
        "message",
        "password",
        "secret",
    ];
    assert_eq!(names, expected, "{line}");
}

use super::*;
use crate::extensions::report::{Activity, Crash, Serving};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One that serves, and has done this.
fn serving(activity: Activity) -> ExtensionReport {
    ExtensionReport {
        name: "notes".to_owned(),
        state: State::Serving,
        origin: Origin::Installed,
        component: "/x/notes.wasm".into(),
        error: None,
        serving: Some(Serving {
            version: "1.2.0".to_owned(),
            world: "mngr:gateway@0.1.0".to_owned(),
            sha256: "00".to_owned(),
            since: time("2026-01-01T00:00:00Z"),
            asked: Default::default(),
            granted: Default::default(),
            activity,
        }),
    }
}

fn crash() -> Option<Crash> {
    Some(Crash {
        at: time("2026-01-01T00:00:10Z"),
        reason: "wasm trap: unreachable\u{1b}[2J\nforged".to_owned(),
    })
}

const NOW: &str = "2026-01-01T00:01:00Z";

#[test]
fn a_line_says_what_an_extension_has_done() {
    let report = serving(Activity {
        memory_bytes: 3_250_585,
        requests: 120,
        errors: 3,
        ..Activity::default()
    });
    let text = table(&[report], time(NOW));
    let words: Vec<_> = text.lines().last().unwrap().split_whitespace().collect();
    let expected = "notes serving installed 1.2.0 mngr:gateway@0.1.0 120 3 0 3.1 MiB 1 min 0 s";
    assert_eq!(words.join(" "), expected);
}

#[test]
fn whoever_is_out_of_service_is_said_to_be_and_how_it_comes_back() {
    let mut report = serving(Activity {
        restarts: 9,
        last_crash: crash(),
        out_of_service_until: Some(time("2026-01-01T00:01:20Z")),
        ..Activity::default()
    });
    report.state = State::OutOfService;
    let [remark] = &remarks(&report, time(NOW))[..] else {
        panic!("{report:?}");
    };
    for expected in [
        "for another 20 s",
        "after 9 crashes",
        "unreachable",
        "`mngr-latchkey extension reload notes`",
    ] {
        assert!(remark.contains(expected), "{expected}\n{remark}");
    }
    assert!(!remark.contains(['\u{1b}', '\n']), "{remark:?}");
}

#[test]
fn a_crash_is_told_also_when_another_instance_serves() {
    let report = serving(Activity {
        restarts: 1,
        last_crash: crash(),
        ..Activity::default()
    });
    let remarks = remarks(&report, time(NOW)).join("\n");
    assert!(remarks.contains("an instance failed 50 s ago"), "{remarks}");
}

#[test]
fn an_error_says_whether_an_older_component_serves() {
    let mut report = serving(Activity::default());
    report.error = Some("it is cut off".to_owned());
    let beside = remarks(&report, time(NOW)).join("\n");
    assert!(
        beside.contains("what served before goes on: it is cut off"),
        "{beside}"
    );
    report.serving = None;
    report.state = State::Refused;
    let alone = remarks(&report, time(NOW)).join("\n");
    assert_eq!(alone, "not served: it is cut off");
}

#[test]
fn memory_is_rounded_up_to_a_tenth() {
    for (bytes, expected) in [
        (0, "0.0 MiB"),
        (1, "0.1 MiB"),
        (1024 * 1024, "1.0 MiB"),
        (u64::MAX, "1759218604441.6 MiB"),
    ] {
        assert_eq!(mebibytes(bytes), expected, "{bytes}");
    }
}

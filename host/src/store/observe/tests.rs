use std::os::unix::fs::{MetadataExt, symlink};

use tempfile::TempDir;

use super::*;

const START: &str = "2026-11-21T12:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A latchkey directory with this host in it.
fn with_host(digit: char) -> (TempDir, LatchkeyDirectory, HostId) {
    let root = tempfile::tempdir().unwrap();
    let directory = LatchkeyDirectory::new(root.path()).unwrap();
    let host = HostId::parse(&format!("host-{}", digit.to_string().repeat(32))).unwrap();
    let file = directory.host_permissions(&host);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "{}").unwrap();
    (root, directory, host)
}

#[test]
fn an_observation_holds_from_its_beginning_until_its_end() {
    let (_root, directory, host) = with_host('1');
    let began = begin(&directory, &host, minutes(30), "me", time(START)).unwrap();
    for (now, expected) in [
        ("2026-11-21T11:59:59Z", false),
        (START, true),
        ("2026-11-21T12:29:59.999Z", true),
        ("2026-11-21T12:30:00Z", false),
        ("2027-01-01T00:00:00Z", false),
    ] {
        let current = current(&directory, &host, time(now)).unwrap();
        assert_eq!(current, expected.then(|| began.clone()), "{now}");
    }
    assert_eq!(began.remaining(time("2026-11-21T12:10:00Z")), minutes(20));
    assert_eq!(began.remaining(time("2026-11-22T12:10:00Z")), minutes(0));
    let mode = fs::metadata(directory.host_observation(&host)).unwrap();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn it_begins_anew_and_ends_at_a_word() {
    let (_root, directory, host) = with_host('1');
    begin(&directory, &host, minutes(1), "me", time(START)).unwrap();
    let later = time("2026-11-21T13:00:00Z");
    let anew = begin(&directory, &host, LONGEST, "you", later).unwrap();
    assert_eq!(read(&directory, &host).unwrap(), Some(anew));
    assert!(end(&directory, &host).unwrap());
    assert!(!end(&directory, &host).unwrap(), "there was none any more");
    assert_eq!(read(&directory, &host).unwrap(), None);
}

#[test]
fn neither_a_strange_host_nor_a_strange_time_is_observed() {
    let (_root, directory, host) = with_host('1');
    for duration in [minutes(0), minutes(-1), LONGEST + minutes(1)] {
        let refused = begin(&directory, &host, duration, "me", time(START));
        assert!(
            matches!(refused, Err(BeginError::Duration)),
            "{duration:?}: {refused:?}"
        );
    }
    let stranger = HostId::parse(&format!("host-{}", "9".repeat(32))).unwrap();
    let refused = begin(&directory, &stranger, minutes(1), "me", time(START)).unwrap_err();
    assert!(refused.to_string().contains(stranger.as_str()), "{refused}");
    assert!(!end(&directory, &stranger).unwrap());
    assert!(all(&directory).unwrap().is_empty());
}

#[test]
fn what_is_not_exactly_an_observation_is_an_error() {
    let (_root, directory, host) = with_host('1');
    let path = directory.host_observation(&host);
    for content in [
        "",
        "{}",
        "[]",
        r#"{"since":"2026-11-21T12:00:00Z","until":"2026-11-21T12:00:00Z","by":"me"}"#,
        r#"{"since":"2026-11-21T12:00:00Z","until":"2026-11-28T12:00:01Z","by":"me"}"#,
        r#"{"since":"2026-11-21T12:00:00Z","until":"2026-11-21T13:00:00Z"}"#,
        r#"{"since":"2026-11-21T12:00:00Z","until":"2026-11-21T13:00:00Z","by":"me","x":1}"#,
        r#"{"since":"12:00","until":"13:00","by":"me"}"#,
    ] {
        fs::write(&path, content).unwrap();
        let error = current(&directory, &host, time(START)).unwrap_err();
        assert!(matches!(error, ObserveError::Malformed { .. }), "{content}");
        assert!(error.to_string().contains("enforced"), "{error}");
    }
    let listed = all(&directory).unwrap();
    assert!(matches!(&listed[..], [(found, Err(_))] if *found == host));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(read(&directory, &host).is_err(), "a directory is no file");
}

#[test]
fn the_host_of_a_file_is_found_through_its_handles_and_nowhere_else() {
    let (root, directory, host) = with_host('1');
    let file = directory.host_permissions(&host);
    let handle = directory.handles_dir().join("0.json");
    fs::create_dir_all(directory.handles_dir()).unwrap();
    symlink(&file, &handle).unwrap();
    assert_eq!(host_of(&directory, &file).as_ref(), Some(&host));
    assert_eq!(host_of(&directory, &handle).as_ref(), Some(&host));

    let beside = file.with_file_name("other.json");
    let below = file.with_file_name("x").join("latchkey_permissions.json");
    let stranger = directory.hosts_dir().join("x/latchkey_permissions.json");
    let outside = root.path().join("latchkey_permissions.json");
    for other in [&beside, &below, &stranger, &outside] {
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(other, "{}").unwrap();
        assert_eq!(host_of(&directory, other), None, "{}", other.display());
    }
    assert_eq!(host_of(&directory, &root.path().join("missing")), None);
}

use std::sync::mpsc::{Receiver, sync_channel};

use super::*;

const LARGE: Rotation = Rotation {
    bytes: 1_000_000,
    kept: 10,
};

fn told() -> (Complaints, Receiver<String>) {
    let (sender, told) = sync_channel(100);
    let complaints = Box::new(move |record: &Record| {
        let _ = sender.try_send(record.message().to_owned());
    });
    (complaints, told)
}

fn silent() -> Complaints {
    Box::new(|record| panic!("a complaint: {}", record.message()))
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(str::to_owned).collect()
}

/// One batch of lines.
fn write(log: &mut LogFile, lines: &[&str]) {
    log.begin();
    for line in lines {
        log.write(format!("{line}\n").as_bytes());
    }
}

#[test]
fn a_file_is_private_and_continued() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    for line in ["one", "two"] {
        let mut log = LogFile::rotated(path.clone(), LARGE, silent());
        write(&mut log, &[line]);
    }
    assert_eq!(lines(&path), ["one", "two"]);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(LogFile::rotated(path.clone(), LARGE, silent()));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "what another program made is ours now");
}

#[test]
fn a_full_file_is_put_aside_also_one_of_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    fs::write(&path, "before\n").unwrap();
    let rotation = Rotation { bytes: 20, kept: 3 };
    let mut log = LogFile::rotated(path.clone(), rotation, silent());
    let all: Vec<String> = (0..20).map(|number| format!("line {number:03}")).collect();
    for line in &all {
        write(&mut log, &[line]);
    }
    let mut aside: Vec<PathBuf> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|other| *other != path)
        .collect();
    aside.sort();
    assert_eq!(aside.len(), 3, "{aside:?}");
    // Two lines of nine bytes fit; the first stood behind what was there.
    let kept: Vec<String> = aside
        .iter()
        .chain([&path])
        .flat_map(|path| {
            let lines = lines(path);
            assert!(fs::metadata(path).unwrap().len() <= 20, "{lines:?}");
            lines
        })
        .collect();
    assert_eq!(kept, all[all.len() - kept.len()..]);
    assert_eq!(kept.len(), 7, "{kept:?}");
}

#[test]
fn a_line_longer_than_the_limit_has_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let rotation = Rotation { bytes: 4, kept: 9 };
    let mut log = LogFile::rotated(path.clone(), rotation, silent());
    write(&mut log, &["longer", "longest"]);
    assert_eq!(lines(&path), ["longest"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_file_that_is_deleted_or_moved_or_emptied_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let mut log = LogFile::plain(&path, silent()).unwrap();
    write(&mut log, &["one"]);
    fs::remove_file(&path).unwrap();
    write(&mut log, &["two"]);
    assert_eq!(lines(&path), ["two"]);
    let moved = directory.path().join("log.1");
    fs::rename(&path, &moved).unwrap();
    write(&mut log, &["three"]);
    assert_eq!(
        (lines(&moved), lines(&path)),
        (vec!["two".into()], vec!["three".into()])
    );
    File::create(&path).unwrap();
    write(&mut log, &["four"]);
    assert_eq!(lines(&path), ["four"]);
}

#[test]
fn a_line_that_a_crash_left_unfinished_spoils_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    fs::write(&path, "whole\nhal").unwrap();
    let mut log = LogFile::rotated(path.clone(), LARGE, silent());
    write(&mut log, &["next", "last"]);
    assert_eq!(lines(&path), ["whole", "hal", "next", "last"]);
}

#[test]
fn a_directory_in_the_way_is_told_once_and_what_was_dropped_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    fs::create_dir(&path).unwrap();
    let (complaints, told) = told();
    let mut log = LogFile::rotated(path.clone(), LARGE, complaints);
    write(&mut log, &["one", "two"]);
    write(&mut log, &["three"]);
    log.dropped(4);
    fs::remove_dir(&path).unwrap();
    write(&mut log, &["four", "five"]);
    drop(log);
    let told: Vec<String> = told.iter().collect();
    let [complaint] = &*told else {
        panic!("{told:?}")
    };
    assert!(
        complaint.contains(path.to_str().unwrap())
            && complaint.contains("a directory is in the way"),
        "{complaint}"
    );
    let lines = lines(&path);
    let report = Record::parse(lines[0].as_bytes()).unwrap();
    assert_eq!(report.fields().next(), Some(("missing", &7_u64.into())));
    assert_eq!(lines[1..], ["four", "five"]);
}

#[test]
fn a_full_disk_is_told_once_and_stops_nothing() {
    let (complaints, told) = told();
    let mut log = LogFile::plain(Path::new("/dev/full"), complaints).unwrap();
    for _ in 0..3 {
        write(&mut log, &["one", "two"]);
    }
    assert_eq!(log.lost, 6);
    drop(log);
    let told: Vec<String> = told.iter().collect();
    assert!(
        told.len() == 1 && told[0].contains("/dev/full") && told[0].contains("free some space"),
        "{told:?}"
    );
}

fn pipe(directory: &Path) -> PathBuf {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let path = directory.join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

#[test]
fn what_is_no_file_is_written_to_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = pipe(directory.path());
    fs::set_permissions(&pipe, fs::Permissions::from_mode(0o644)).unwrap();
    // For reading and writing, a pipe opens without the other end.
    let mut reader = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let path = directory.path().join("events.jsonl");
    std::os::unix::fs::symlink(&pipe, &path).unwrap();
    let rotation = Rotation { bytes: 5, kept: 1 };
    let mut log = LogFile::rotated(path.clone(), rotation, silent());
    write(&mut log, &["one", "two", "three"]);
    let mut read = [0; 14];
    io::Read::read_exact(&mut reader, &mut read).unwrap();
    assert_eq!(read, *b"one\ntwo\nthree\n");
    let mode = fs::metadata(&pipe).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "others may share it");
    assert_eq!(fs::read_link(&path).unwrap(), pipe);
}

#[test]
fn what_the_user_named_and_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        LogFile::plain(path, silent())
            .err()
            .expect("a refusal")
            .to_string()
    };
    let missing = directory.path().join("missing/log");
    assert!(refused(&missing).contains(missing.to_str().unwrap()));
    assert!(refused(directory.path()).contains("a directory is in the way"));
    let pipe = pipe(directory.path());
    assert!(
        refused(&pipe).contains(pipe.to_str().unwrap()),
        "and nobody waits for a reader"
    );
}

#[test]
fn two_that_write_one_file_lose_nothing_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let rotation = Rotation {
        bytes: 100,
        kept: 100,
    };
    let mut logs = [(); 2].map(|()| LogFile::rotated(path.clone(), rotation, silent()));
    let mut expected = Vec::new();
    for batch in 0..10 {
        for log in &mut logs {
            log.begin();
        }
        // Within a batch, neither looks at what the other has done.
        for (name, log) in ["a", "b"].into_iter().zip(&mut logs) {
            for number in 0..7 {
                let line = format!("{name} {batch} {number}");
                log.write(format!("{line}\n").as_bytes());
                expected.push(line);
            }
        }
    }
    let mut found = Vec::new();
    let files = fs::read_dir(directory.path()).unwrap();
    for file in files.map(|entry| entry.unwrap().path()) {
        let size = fs::metadata(&file).unwrap().len();
        assert!(size <= 100 + 7 * 6, "{} has {size} bytes", file.display());
        found.extend(lines(&file));
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_part_of_a_line_is_taken_back_and_what_others_wrote_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let mut log = LogFile::rotated(path.clone(), LARGE, silent());
    write(&mut log, &["one"]);
    let open = log.open.take().unwrap();
    for (behind, is_cut) in [
        ("tw", true),
        ("other\n", false),
        ("", true),
        ("two\nmore", false),
    ] {
        fs::write(&path, format!("one\n{behind}")).unwrap();
        assert_eq!(open.cut_back(&path, b"two\n"), is_cut, "{behind:?}");
        let left = fs::read_to_string(&path).unwrap();
        let expected = if is_cut {
            "one\n".to_owned()
        } else {
            format!("one\n{behind}")
        };
        assert_eq!(left, expected);
    }
}

#[test]
fn a_rotated_file_is_closed_while_there_is_nothing_to_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let mut log = LogFile::rotated(path.clone(), LARGE, silent());
    assert!(path.exists() && log.open.is_none());
    for line in ["one", "two"] {
        write(&mut log, &[line]);
        log.end();
        assert!(log.open.is_none());
    }
    assert_eq!(lines(&path), ["one", "two"]);
}

use std::fs;

use super::*;
use crate::logging::captured;

fn kept(directory: &Path, name: &str) -> Vec<String> {
    tail(directory, name, 10_000).unwrap()
}

/// What follows the time and the level.
fn text(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or_default()
}

#[test]
fn a_line_is_in_the_log_and_in_the_extension_s_file_as_it_was_said() {
    let directory = tempfile::tempdir().unwrap();
    let records = captured::records("trace", || {
        let outputs = Outputs::new(directory.path());
        let log = outputs.of("noisy");
        log.line(
            Level::DEBUG,
            b"hello \x1b]0;t\x07\x1b[31mthere\x1b[0m\nINFO forged",
        );
        outputs.of("other").line(Level::ERROR, b"elsewhere");
        log.refused("documents", "their\nnotes");
    });
    let logged: Vec<_> = records.iter().map(|record| record.message()).collect();
    assert_eq!(
        logged,
        [
            "hello there INFO forged",
            "elsewhere",
            "not granted to the extension"
        ]
    );
    assert!(
        records
            .iter()
            .all(|record| record.target().starts_with("extension."))
    );
    let lines = kept(directory.path(), "noisy");
    assert_eq!(
        lines.iter().map(|line| text(line)).collect::<Vec<_>>(),
        [
            "hello there INFO forged",
            "not granted to the extension: documents their notes"
        ]
    );
    let (time, rest) = lines[0].split_once(' ').unwrap();
    assert!(time.parse::<Timestamp>().is_ok(), "{lines:?}");
    assert!(rest.starts_with("DEBUG "), "{lines:?}");
    assert_eq!(kept(directory.path(), "other").len(), 1);
}

#[test]
fn a_flood_is_cut_and_the_rest_counted_in_the_log_and_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let records = captured::records("info", || {
        let outputs = Outputs::new(directory.path());
        let log = outputs.of("noisy");
        for number in 0..100_000 {
            log.line(Level::INFO, format!("line {number}").as_bytes());
        }
        log.refused("documents", "notes");
        outputs.of("quiet").line(Level::INFO, b"still heard");
    });
    let lines = kept(directory.path(), "noisy");
    let said = lines
        .iter()
        .filter(|line| text(line).starts_with("line "))
        .count();
    // As many at once, and as came in while the test ran.
    assert!((200..2000).contains(&said), "{said} lines");
    let left_out = format!("{} lines of its output", 100_000 - said);
    let last = lines.last().unwrap();
    assert!(
        last.contains(&left_out) && last.contains("left out"),
        "{last}"
    );
    assert!(
        lines.iter().any(|line| line.contains("documents notes")),
        "a flood hides no refusal"
    );
    let logged: Vec<_> = records.iter().map(|record| record.message()).collect();
    assert!(logged.contains(&"still heard"), "a flood is nobody else's");
    assert!(logged.iter().any(|message| message.contains(&left_out)));
}

#[tokio::test]
async fn what_was_left_out_is_said_while_the_output_goes_on_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let outputs = Outputs::new(directory.path());
    let log = outputs.of("noisy");
    for _ in 0..1000 {
        log.refused("events", "their topic");
    }
    let counts = || -> Vec<String> {
        let lines = kept(directory.path(), "noisy");
        let counts = lines.into_iter().filter(|line| line.contains("left out"));
        counts.collect()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while counts().is_empty() {
        assert!(Instant::now() < deadline, "nothing is said");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(outputs);
    let said = kept(directory.path(), "noisy").len() - 1;
    let expected = format!("{} lines about what is not granted to it", 1000 - said);
    assert!(
        matches!(&counts()[..], [only] if only.contains(&expected)),
        "{:?}",
        counts()
    );
}

#[test]
fn a_crash_report_is_kept_line_by_line_up_to_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let records = captured::records("trace", || {
        let outputs = Outputs::new(directory.path());
        let mut report = "wasm trap: unreachable\nwasm backtrace:\n".to_owned();
        for frame in 0..1000 {
            report.push_str(&format!(
                "  {frame}: 0x10 - x.wasm!\u{1b}[2Jf{}\n",
                "f".repeat(5000)
            ));
        }
        outputs.of("noisy").crashed(&report);
    });
    assert_eq!(records.len(), 0, "the gateway's log has its own line");
    let lines = kept(directory.path(), "noisy");
    assert_eq!(lines.len(), REPORT_LINES + 1);
    assert_eq!(text(&lines[0]), "wasm trap: unreachable");
    assert!(lines.iter().all(|line| line.len() < REPORT_LINE_BYTES + 64));
    assert!(
        lines.last().unwrap().contains("938 more lines"),
        "{:?}",
        lines.last()
    );
}

#[test]
fn the_files_of_an_extension_stay_small() {
    let directory = tempfile::tempdir().unwrap();
    captured::records("off", || {
        let outputs = Outputs::new(directory.path());
        for number in 0..40 {
            // Each time another instance of the quota, as after a long while.
            let log = OutputLog::new("noisy", outputs.queue.clone());
            let log = Arc::new(log);
            for _ in 0..30 {
                log.line(
                    Level::INFO,
                    format!("{number} {}", "x".repeat(8000)).as_bytes(),
                );
            }
        }
    });
    let logs = super::directory(directory.path());
    let sizes: Vec<_> = fs::read_dir(&logs)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert!(sizes.iter().all(|&size| size <= 256 * 1024), "{sizes:?}");
    let last = kept(directory.path(), "noisy").pop().unwrap();
    assert!(text(&last).starts_with("39 "), "{last}");
}

#[test]
fn a_name_that_is_no_extension_s_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    captured::records("off", || {
        let outputs = Outputs::new(directory.path());
        for name in ["..", "../evil", "a/b", "a\tb", "a\nb", ""] {
            outputs.of(name).line(Level::INFO, b"x");
        }
    });
    let logs = super::directory(directory.path());
    let found: Vec<_> = fs::read_dir(&logs).into_iter().flatten().collect();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

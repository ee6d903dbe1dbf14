use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;

use super::super::program;
use super::*;

/// The words of `script`, once it has ended.
async fn said(script: &Path) -> Vec<String> {
    let mut child = Child::spawn(script, Path::new("/")).unwrap();
    let mut said = Vec::new();
    while !child.is_over() {
        if let Deed::Event(Line::Whole(line)) = child.next().await {
            said.push(String::from_utf8_lossy(line).into_owned());
        }
    }
    child.kill().await;
    said
}

fn script(directory: &Path, body: &str) -> PathBuf {
    let path = directory.join("mngr");
    program::write(&path, body);
    path
}

#[test]
fn settings_of_ours_are_withheld() {
    let command = command(Path::new("mngr"), Path::new("/"));
    let removed: Vec<&OsStr> = command
        .as_std()
        .get_envs()
        .filter_map(|(name, value)| value.is_none().then_some(name))
        .collect();
    for name in [
        "LATCHKEY_EXTENSION_MINDS_API_KEY",
        "LATCHKEY_ENCRYPTION_KEY",
        "LATCHKEY_GATEWAY_LISTEN_PASSWORD",
        "NOTIFY_SOCKET",
    ] {
        assert!(removed.contains(&OsStr::new(name)), "{name}: {removed:?}");
    }
}

#[tokio::test]
async fn nothing_that_is_open_here_is_open_there() {
    let directory = tempfile::tempdir().unwrap();
    let ours = fs::File::create(directory.path().join("ours")).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let script = script(
        directory.path(),
        "for file in /proc/$$/fd/*; do readlink $file; done",
    );
    let open = said(&script).await;
    assert!(open.contains(&"/dev/null".to_owned()), "{open:?}");
    let is_foreign = |file: &&String| file.contains("ours") || file.contains("socket:");
    assert_eq!(open.iter().find(is_foreign), None, "{open:?}");
    drop((ours, listener));
}

#[tokio::test]
async fn the_group_ends_when_nobody_holds_the_watchdog_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let script = script(directory.path(), "echo begun; sleep 1000 & wait");
    let mut child = Child::spawn(&script, Path::new("/")).unwrap();
    assert!(matches!(
        child.next().await,
        Deed::Event(Line::Whole(b"begun"))
    ));
    // What the system does to a process that is killed: it closes its files.
    drop(child.watchdog.as_mut().unwrap().stdin.take());
    while !child.is_over() {
        child.next().await;
    }
    let status = child.leader.wait().await.unwrap();
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()), "{status}");
}

#[tokio::test]
async fn an_ended_process_is_seen_and_its_last_output_still_comes() {
    let directory = tempfile::tempdir().unwrap();
    let script = script(directory.path(), "echo out; echo err >&2; exit 7");
    let mut child = Child::spawn(&script, Path::new("/")).unwrap();
    let (mut out, mut err) = (0, 0);
    while !child.is_over() {
        match child.next().await {
            Deed::Event(line) => out += usize::from(line == Line::Whole(b"out")),
            Deed::Diagnostic(line) => err += usize::from(line == Line::Whole(b"err")),
            Deed::EventsEnded | Deed::DiagnosticsEnded | Deed::Exited => {}
        }
    }
    assert_eq!((out, err), (1, 1));
    let status = child.kill().await.unwrap();
    assert_eq!(status.code(), Some(7), "{status}");
}

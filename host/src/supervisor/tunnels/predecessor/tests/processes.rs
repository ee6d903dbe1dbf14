//! The commands, run by the shells that are here, on processes that are called sshd.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::*;

/// `sh` and whichever others there are.
fn shells() -> Vec<Vec<&'static str>> {
    let candidates = [
        vec!["sh"],
        vec!["dash"],
        vec!["bash"],
        vec!["busybox", "sh"],
    ];
    let is_here = |shell: &Vec<&str>| run(shell, &["-c", "exit 0"]).is_some();
    let (here, absent): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_here);
    if !absent.is_empty() {
        println!("SKIPPED: not installed here: {absent:?}");
    }
    assert!(!here.is_empty(), "there is no shell at all");
    here
}

fn run(shell: &[&str], arguments: &[&str]) -> Option<String> {
    let (program, first) = shell.split_first()?;
    let output = Command::new(program)
        .args(first)
        .args(arguments)
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `trap` as a line is for the script itself, every other line for a shell of its own.
const SCRIPT: &str = r#"#!/bin/sh
while read -r line; do
    case "$line" in
        trap) trap "" TERM; echo trapped ;;
        *) sh -c "$line" ;;
    esac
done
"#;

/// A script called `sshd` (or otherwise), which runs the lines that it is sent, and may hold a listening socket.
struct Session {
    child: Child,
    commands: Option<ChildStdin>,
    directory: tempfile::TempDir,
}

impl Session {
    fn start(name: &str, listener: Option<TcpListener>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, SCRIPT).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(listener.map_or(Stdio::inherit(), |held| OwnedFd::from(held).into()))
            .spawn()
            .unwrap();
        let commands = child.stdin.take();
        Self {
            child,
            commands,
            directory,
        }
    }

    /// The last line that `command` prints.
    fn run(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().unwrap();
        writeln!(commands, "{command}").unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(self.child.stdout.as_mut().unwrap());
        output.read_line(&mut line).unwrap();
        line
    }

    fn identity(&mut self) -> SessionIdentity {
        let identity = SessionIdentity::parse(&self.run(&identify_command())).unwrap();
        assert_eq!(identity.pid, self.child.id());
        identity
    }

    fn ignore_termination(&mut self) {
        assert_eq!(self.run("trap"), "trapped\n");
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It ends by itself when there is nothing more to read.
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn free_port() -> u16 {
    let (_dropped, port) = listener();
    port
}

fn end(shell: &[&str], identity: &SessionIdentity, port: u16) -> Ending {
    let SessionIdentity {
        pid,
        start_time,
        boot_id,
    } = identity;
    let arguments = [
        "-c",
        END,
        "sh",
        &pid.to_string(),
        &start_time.to_string(),
        boot_id,
        &format!("{port:04X}"),
    ];
    let output = run(shell, &arguments).unwrap();
    Ending::parse(&output).unwrap_or_else(|error| panic!("{shell:?} printed {output:?}: {error}"))
}

#[test]
fn the_nearest_sshd_above_the_shell_is_found() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for name in ["sshd", "sshd-session"] {
        let mut session = Session::start(name, None);
        let identity = session.identity();
        assert_eq!(identity.boot_id, boot.trim());
        // A login shell that stays between the two changes nothing.
        let script = session.directory.path().join("script");
        fs::write(&script, identify_command()).unwrap();
        let output = session.run(&format!("sh {}; :", script.display()));
        assert_eq!(SessionIdentity::parse(&output), Ok(identity));
    }
}

#[test]
fn the_session_that_holds_the_port_is_ended() {
    for shell in shells() {
        for name in ["sshd", "sshd-session"] {
            let (listener, port) = listener();
            let mut session = Session::start(name, Some(listener));
            let identity = session.identity();
            assert_eq!(end(&shell, &identity, port), Ending::Ended, "{shell:?}");
            assert!(!session.is_running());
            TcpListener::bind(("127.0.0.1", port)).unwrap();
            // It is still unburied here, and then not there at all.
            assert_eq!(end(&shell, &identity, port), Ending::Absent, "{shell:?}");
        }
    }
}

#[test]
fn a_session_that_holds_another_port_or_none_is_kept() {
    let (_held, port) = listener();
    let (other, _) = listener();
    for shell in shells() {
        for held in [None, Some(other.try_clone().unwrap())] {
            let mut session = Session::start("sshd", held);
            let identity = session.identity();
            // One port is held by this process, the other by nobody.
            for port in [port, free_port()] {
                let ending = end(&shell, &identity, port);
                assert_eq!(ending, Ending::Kept(Reason::Unheld), "{shell:?} {port}");
            }
            assert!(session.is_running());
        }
    }
}

#[test]
fn another_process_of_that_number_is_kept() {
    let (held, port) = listener();
    let mut session = Session::start("sshd", Some(held));
    let identity = session.identity();
    for shell in shells() {
        let earlier = SessionIdentity {
            start_time: identity.start_time - 1,
            ..identity.clone()
        };
        assert_eq!(
            end(&shell, &earlier, port),
            Ending::Kept(Reason::Recycled),
            "{shell:?}"
        );
        let before_the_boot = SessionIdentity {
            boot_id: BOOT.to_owned(),
            ..identity.clone()
        };
        assert_eq!(
            end(&shell, &before_the_boot, port),
            Ending::Absent,
            "{shell:?}"
        );
        assert!(session.is_running(), "{shell:?}");
    }
}

#[test]
fn what_is_not_sshd_is_kept() {
    for name in ["sshd2", "x (sshd) y"] {
        let (held, port) = listener();
        let mut session = Session::start(name, Some(held));
        let stat = fs::read_to_string(format!("/proc/{}/stat", session.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let identity = SessionIdentity {
            pid: session.child.id(),
            start_time: fields.split(' ').nth(19).unwrap().parse().unwrap(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .unwrap()
                .trim()
                .to_owned(),
        };
        for shell in shells() {
            let ending = end(&shell, &identity, port);
            assert_eq!(ending, Ending::Kept(Reason::Foreign), "{shell:?} {name}");
        }
        assert!(session.is_running());
    }
}

#[test]
fn a_session_never_ends_itself() {
    let (held, port) = listener();
    let mut session = Session::start("sshd", Some(held));
    let identity = session.identity();
    let output = session.run(&end_command(&identity, port));
    assert_eq!(Ending::parse(&output), Ok(Ending::Kept(Reason::Own)));
    assert!(session.is_running());
}

#[test]
fn a_session_that_ignores_the_request_to_end_is_killed() {
    let (held, port) = listener();
    let mut session = Session::start("sshd", Some(held));
    let identity = session.identity();
    let command = end_command(&identity, port);
    session.ignore_termination();
    let output = run(&["sh"], &["-c", &command]).unwrap();
    assert_eq!(Ending::parse(&output), Ok(Ending::Ended), "{output}");
    assert!(!session.is_running());
}

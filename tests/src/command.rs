//! One run of the program on the command line.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::home::Home;
use crate::process::Process;
use crate::{PATIENCE, binary};

/// A run to be. It sees no variable of the test's but `PATH`.
pub struct Cli {
    command: Command,
    shown: Vec<OsString>,
}

impl Cli {
    pub(crate) fn new<A: AsRef<OsStr>>(
        home: &Home,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::program(binary::path(), home.path()).arguments(arguments)
    }

    /// Another program, or ours under another name.
    pub fn program(program: impl Into<PathBuf>, home: &Path) -> Self {
        let mut command = Command::new(program.into());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .current_dir(home)
            .stdin(Stdio::null());
        Self {
            command,
            shown: Vec::new(),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(argument.as_ref().to_owned());
        self.command.arg(argument);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::argument)
    }

    /// One more variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Another working directory than the home.
    #[must_use]
    pub fn working_directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// A file as standard input, which is otherwise empty.
    #[must_use]
    pub fn input(mut self, file: &Path) -> Self {
        let file = File::open(file).expect("the input can be opened");
        self.command.stdin(file);
        self
    }

    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Starts it and lets it run. Needs a tokio runtime.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(self) -> Process {
        Process::start(self.command)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started, or has not ended within [`PATIENCE`].
    #[track_caller]
    pub fn run(mut self) -> Outcome {
        let child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{:?} cannot be started: {error}",
                    self.command.get_program()
                )
            });
        let process = Pid::from_child(&child);
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || sender.send(child.wait_with_output()));
        let output = match receiver.recv_timeout(PATIENCE) {
            Ok(output) => output.expect("a child's output can be read"),
            Err(_) => {
                let _ = kill_process(process, Signal::KILL);
                panic!("{:?} did not end within {PATIENCE:?}", self.shown);
            }
        };
        Outcome {
            arguments: self.shown,
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    arguments: Vec<OsString>,
    /// How it ended.
    pub status: ExitStatus,
    /// The result.
    pub stdout: String,
    /// The diagnostics.
    pub stderr: String,
}

impl Outcome {
    /// Panics unless it exited with 0.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        self.expect_code(0)
    }

    /// Panics unless it exited with 1 (a failure), printed nothing on stdout and exactly `message` on stderr.
    #[track_caller]
    pub fn expect_failure(self, message: &str) -> Self {
        self.expect_refusal(1, message)
    }

    /// The same for a wrong invocation, which exits with 2.
    #[track_caller]
    pub fn expect_usage_error(self, message: &str) -> Self {
        self.expect_refusal(2, message)
    }

    /// Panics unless it exited with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    #[track_caller]
    fn expect_refusal(self, code: i32, message: &str) -> Self {
        let this = self.expect_code(code);
        assert_eq!(this.stdout, "", "{this}");
        assert_eq!(this.stderr.trim_end_matches('\n'), message, "{this}");
        this
    }

    /// The only line of stdout.
    #[track_caller]
    pub fn line(&self) -> &str {
        match self.stdout.strip_suffix('\n') {
            Some(line) if !line.contains('\n') => line,
            _ => panic!("expected one line on stdout. {self}"),
        }
    }

    /// The only line of stdout, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.line())
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}. {self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:?} ended with {}\n-- stdout --\n{}\n-- stderr --\n{}",
            self.arguments, self.status, self.stdout, self.stderr
        )
    }
}

//! A client program. It sees no variable of the test's but `PATH`, is killed when dropped, and fails the test where it is not
//! installed.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::pattern::Tally;
use crate::within_patience;

/// A run to be.
pub struct Program {
    command: Command,
    name: String,
}

impl Program {
    pub fn new(name: &str, home: &Path) -> Self {
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self {
            command,
            name: name.to_owned(),
        }
    }

    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    #[track_caller]
    pub fn start(mut self) -> Running {
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!(
                    "{} is not installed; tests/run says how to get it",
                    self.name
                )
            }
            Err(error) => panic!("{} cannot be started: {error}", self.name),
        };
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut stderr = child.stderr.take().expect("stderr is a pipe");
        Running {
            stdin,
            stdout: BufReader::new(stdout),
            stderr: tokio::spawn(async move {
                let mut text = Vec::new();
                let _ = stderr.read_to_end(&mut text).await;
                String::from_utf8_lossy(&text).into_owned()
            }),
            child,
            name: self.name,
        }
    }

    /// Runs it to its end with nothing on its standard input.
    pub async fn run(self) -> Ended {
        self.start().end().await
    }

    /// Runs it to its end with `input`, which it must read.
    pub async fn run_with(self, input: impl AsRef<[u8]>) -> Ended {
        let mut running = self.start();
        running.write(input.as_ref()).await;
        running.end().await
    }
}

/// A program at work.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
    name: String,
}

impl Running {
    /// Writes to its standard input.
    ///
    /// # Panics
    /// When the program does not take it, with what it says.
    pub async fn write(&mut self, piece: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        let what = format!("{} reads its standard input", self.name);
        if let Err(error) = within_patience(&what, stdin.write_all(piece)).await {
            let stderr = within_patience("the program ends", &mut self.stderr).await;
            panic!("{} reads no more: {error}: {stderr:?}", self.name);
        }
    }

    /// Its standard input, for whoever writes while somebody else reads.
    ///
    /// # Panics
    /// When it has been closed or taken.
    pub fn take_input(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is still open")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child
            .id()
            .expect("the program has not been awaited yet")
    }

    /// Says that there is no more to read.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// What it has written to its standard output meanwhile, at least one byte; nothing once it has closed it.
    pub async fn read(&mut self, buffer: &mut [u8]) -> usize {
        let what = format!("{} writes to its standard output", self.name);
        within_patience(&what, self.stdout.read(buffer))
            .await
            .expect("a pipe can be read")
    }

    /// All that it writes to its standard output from here to its end.
    pub async fn tally(&mut self) -> Tally {
        let mut tally = Tally::default();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match self.read(&mut buffer).await {
                0 => return tally,
                length => tally.add(&buffer[..length]),
            }
        }
    }

    /// The next line of its standard output, without its end.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        let what = format!("{} writes a line", self.name);
        within_patience(&what, self.stdout.read_line(&mut line))
            .await
            .expect("stdout is text");
        if line.is_empty() {
            let stderr = within_patience("the program ends", &mut self.stderr).await;
            panic!("{} ended without another line: {stderr:?}", self.name);
        }
        line.trim_end().to_owned()
    }

    /// Closes its input and awaits its end.
    pub async fn end(mut self) -> Ended {
        self.close_input();
        let what = format!("{} ends", self.name);
        let mut stdout = Vec::new();
        let (status, stderr) = within_patience(&what, async {
            let _ = self.stdout.read_to_end(&mut stdout).await;
            let status = self.child.wait().await;
            (status, (&mut self.stderr).await)
        })
        .await;
        Ended {
            name: self.name,
            status: status.expect("a child can be awaited"),
            stdout,
            stderr: stderr.expect("stderr is being read"),
        }
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ended {
    name: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn expect_success(self) -> Self {
        self.expect_code(0)
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("stdout is no text: {self}"))
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<u8> = self.stdout.iter().copied().take(4096).collect();
        write!(
            formatter,
            "{} ended with {}\n-- stdout ({} bytes) --\n{}\n-- stderr --\n{}",
            self.name,
            self.status,
            self.stdout.len(),
            String::from_utf8_lossy(&shown),
            self.stderr
        )
    }
}

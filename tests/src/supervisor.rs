//! A supervisor of the test's own: `mngr-latchkey forward` with a home and a scripted `mngr`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::Value;

use crate::caller::{Agent, Caller};
use crate::command::{Cli, Outcome};
use crate::compile_cache;
use crate::home::{Home, read_json};
use crate::mngr::Mngr;
use crate::process::Process;
use crate::process_list::{Listed, descendants, processes_that_name};
use crate::tokens::Keys;
use crate::{binary, eventually};

/// A running supervisor. Killed when dropped, with everything that it started.
pub struct Supervisor {
    process: Process,
    home: Option<Home>,
    mngr: Mngr,
    address: SocketAddr,
    password: String,
}

impl Supervisor {
    /// One in a new home, whose `mngr` prints nothing yet.
    pub async fn start() -> Self {
        Self::in_home(Home::new()).start().await
    }

    /// One in a home that the test has prepared, or that another supervisor has left.
    pub fn in_home(home: Home) -> SupervisorOptions {
        SupervisorOptions {
            mngr: Mngr::in_home(&home),
            mngr_binary: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            home,
        }
    }

    /// Its home.
    pub fn home(&self) -> &Home {
        self.home.as_ref().expect("the home stays until the end")
    }

    /// Its `mngr`.
    pub fn mngr(&self) -> &Mngr {
        &self.mngr
    }

    /// The process, for signals and its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where its gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A command with its latchkey directory.
    pub fn cli<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.home().cli(arguments)
    }

    /// Somebody with the password and any token.
    pub fn with_token(&self, token: &str) -> Caller {
        caller(self.address, &self.password, token)
    }

    /// The person who decides on requests.
    pub fn admin(&self) -> Caller {
        let keys = Keys::of(&self.home().latchkey_directory());
        self.with_token(&keys.override_token(&self.home().admin_permissions()))
    }

    /// An agent on a host of its own, wired up as mngr does it: environment, link, registration.
    pub fn agent(&self, name: &str) -> Agent {
        self.agent_on(name, name)
    }

    /// An agent on the host of this name, which others may share.
    pub fn agent_on(&self, host: &str, name: &str) -> Agent {
        Agent::register(self.home(), host, name, |token| self.with_token(token))
    }

    /// The gateway child at this moment.
    pub fn gateway(&self) -> Option<Listed> {
        gateway_of(self.process.id())
    }

    /// All that it started, and what those started, at this moment.
    pub fn children(&self) -> Vec<Listed> {
        descendants(self.process.id())
    }

    /// What stands in the record.
    pub fn record(&self) -> Value {
        read_json(&record(self.home()))
    }

    /// What it says of itself.
    pub fn status(&self) -> Value {
        self.cli(["status", "--format", "json"])
            .expect_success()
            .json()
    }

    /// Every record of `events.jsonl`.
    pub fn events(&self) -> Vec<Value> {
        let path = self.home().plugin_data().join("events.jsonl");
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("events.jsonl: no JSON: {error}: {line}"))
        };
        text.lines().map(parse).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to stop, and awaits that.
    pub async fn terminate(self) -> (ExitStatus, Home) {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Kills it as a crash would, and leaves what it started as it is.
    pub async fn kill(self) -> Home {
        self.signal(Signal::KILL);
        self.ended().await.1
    }

    /// Awaits the end of one that was asked to stop.
    pub async fn ended(mut self) -> (ExitStatus, Home) {
        let status = self.process.ended().await;
        (
            status,
            self.home.take().expect("the home stays until the end"),
        )
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Some(home) = &self.home else { return };
        self.process.signal_if_alive(Signal::KILL);
        end_all_of(home);
        if std::thread::panicking() {
            let events = fs::read_to_string(home.plugin_data().join("events.jsonl"));
            let events = events.unwrap_or_default();
            let lines: Vec<&str> = events.lines().collect();
            let last = lines.len().saturating_sub(60);
            eprintln!("-- the last lines of events.jsonl --");
            eprintln!("{}\n-- end of events.jsonl --", lines[last..].join("\n"));
        }
    }
}

/// Kills every process that names a home on its command line: what a killed supervisor has left.
pub fn end_all_of(home: &Home) {
    for process in processes_that_name(home.path()) {
        process.signal(Signal::KILL);
    }
}

/// Where the record stands.
pub fn record(home: &Home) -> PathBuf {
    home.plugin_data().join("latchkey_forward.json")
}

/// The gateway child of a supervisor.
pub fn gateway_of(supervisor: u32) -> Option<Listed> {
    let program = fs::canonicalize(binary::path()).expect("the program has a place");
    let mut children = descendants(supervisor);
    children.retain(|child| {
        child.parent == supervisor
            && child.program().is_some_and(|path| path == program)
            && child.command.iter().any(|word| word == "gateway")
    });
    assert!(children.len() < 2, "more than one gateway: {children:?}");
    children.pop()
}

/// Somebody with any token at the supervisor that runs in a home, whoever has started it.
///
/// # Panics
/// When `gateway-info` finds none.
pub fn caller_of(home: &Home, token: &str) -> Caller {
    let info = home.cli(["gateway-info"]).expect_success().json();
    let (address, password) = address_and_password(&info);
    caller(address, &password, token)
}

/// An agent of the supervisor that runs in a home, whoever has started it; on a host of its own.
///
/// # Panics
/// When `gateway-info` finds none.
pub fn agent_of(home: &Home, name: &str) -> Agent {
    Agent::register(home, name, name, |token| caller_of(home, token))
}

fn caller(address: SocketAddr, password: &str, token: &str) -> Caller {
    Caller::new(address)
        .with_header("X-Latchkey-Gateway-Password", password)
        .with_header("X-Latchkey-Gateway-Permissions-Override", token)
}

/// What `gateway-info` prints.
fn address_and_password(info: &Value) -> (SocketAddr, String) {
    let text = |name: &str| info[name].as_str().expect("a string").to_owned();
    let url = text("url");
    let address = url.strip_prefix("http://").expect("a URL");
    (address.parse().expect("address and port"), text("password"))
}

/// How a supervisor is to be started.
pub struct SupervisorOptions {
    home: Home,
    mngr: Mngr,
    mngr_binary: Option<PathBuf>,
    arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
}

impl SupervisorOptions {
    /// What its `mngr` is to print from the first start on.
    pub fn mngr(&self) -> &Mngr {
        &self.mngr
    }

    /// Its home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Another `mngr` than the scripted one.
    #[must_use]
    pub fn mngr_binary(mut self, path: &Path) -> Self {
        self.mngr_binary = Some(path.to_owned());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The command that starts it.
    pub fn command(&self) -> Cli {
        let mngr = self.mngr_binary.as_deref().unwrap_or(self.mngr.path());
        let mut command = self
            .home
            .command(["forward", "--latchkey-directory"])
            .argument(self.home.latchkey_directory())
            .argument("--mngr-binary")
            .argument(mngr)
            .arguments(&self.arguments);
        for (name, value) in &self.variables {
            command = command.environment(name, value);
        }
        command
    }

    /// Starts it and awaits that `gateway-info` answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(self) -> Supervisor {
        let cache = self.home.seed_compile_cache();
        let mut process = Process::start(self.command().into_command());
        let mut info = None;
        eventually("gateway-info answers", async || {
            if let Some(status) = process.has_ended() {
                panic!("the supervisor ended with {status}:\n{}", process.stderr());
            }
            let outcome = self.home.cli(["gateway-info"]);
            info = outcome.status.success().then(|| outcome.json());
            info.is_some()
        })
        .await;
        compile_cache::publish(&cache);
        let (address, password) = address_and_password(&info.expect("it has answered"));
        Supervisor {
            process,
            home: Some(self.home),
            mngr: self.mngr,
            address,
            password,
        }
    }
}

//! A gateway of the test's own, on a free port.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::Signal;

use crate::caller::{Agent, Caller};
use crate::command::{Cli, Outcome};
use crate::compile_cache;
use crate::home::Home;
use crate::process::Process;
use crate::raw::Raw;
use crate::tokens::Keys;

/// A running gateway, in a home of its own. Killed when dropped.
pub struct Gateway {
    process: Process,
    home: Home,
    address: SocketAddr,
    keys: Keys,
    password: Option<String>,
}

impl Gateway {
    /// One as `forward` would wire it, in a new home.
    pub async fn start() -> Self {
        Self::in_home(Home::new()).start().await
    }

    /// One in a home that the test has prepared, or that another gateway has left.
    pub fn in_home(home: Home) -> GatewayOptions {
        GatewayOptions {
            wired: true,
            arguments: Vec::new(),
            variables: Vec::new(),
            home,
        }
    }

    /// Its home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The secrets that its latchkey directory's key gives.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The process, for signals and its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A command with this gateway's latchkey directory.
    pub fn cli<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.home.cli(arguments)
    }

    /// Somebody who knows nothing, not even the password.
    pub fn stranger(&self) -> Caller {
        Caller::new(self.address)
    }

    /// Somebody who knows the password, if there is one, and has no token: the default permissions file applies.
    pub fn guest(&self) -> Caller {
        match &self.password {
            Some(password) => self
                .stranger()
                .with_header("X-Latchkey-Gateway-Password", password),
            None => self.stranger(),
        }
    }

    /// Somebody with the password and a token for a permissions file.
    pub fn bearer_of(&self, permissions: &Path) -> Caller {
        self.with_token(&self.keys.override_token(permissions))
    }

    /// Somebody with the password and any token.
    pub fn with_token(&self, token: &str) -> Caller {
        self.guest()
            .with_header("X-Latchkey-Gateway-Permissions-Override", token)
    }

    /// The person who decides on requests.
    pub fn admin(&self) -> Caller {
        self.bearer_of(&self.home.admin_permissions())
    }

    /// An agent on a host of its own, wired up as mngr does it: environment, link, registration.
    #[expect(clippy::unused_async, reason = "reads like the other steps of a story")]
    pub async fn agent(&self, name: &str) -> Agent {
        Agent::register(&self.home, name, name, |token| self.with_token(token))
    }

    /// A bare connection.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// Asks it to stop, and awaits that.
    pub async fn terminate(mut self) -> (ExitStatus, Home) {
        self.process.signal(Signal::TERM);
        (self.process.ended().await, self.home)
    }

    /// Kills it as a power cut would.
    pub async fn kill(mut self) -> Home {
        self.process.signal(Signal::KILL);
        self.process.ended().await;
        self.home
    }

    /// Awaits the end of a gateway that was asked to stop.
    pub async fn ended(mut self) -> (ExitStatus, Home) {
        (self.process.ended().await, self.home)
    }
}

/// How a gateway is to be started.
pub struct GatewayOptions {
    home: Home,
    wired: bool,
    arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
}

impl GatewayOptions {
    /// Started as a person starts it who knows nothing of mngr: no `--latchkey-directory`, everything from the environment.
    /// `LATCHKEY_DIRECTORY` names the home's latchkey directory.
    #[must_use]
    pub fn by_environment(mut self) -> Self {
        self.wired = false;
        let directory = self.home.latchkey_directory();
        self.environment("LATCHKEY_DIRECTORY", directory)
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

    fn command(&self) -> Cli {
        let mut command = self.home.command(["gateway", "--listen-port", "0"]);
        if self.wired {
            command = command
                .argument("--latchkey-directory")
                .argument(self.home.latchkey_directory());
        }
        command = command.arguments(&self.arguments);
        for (name, value) in &self.variables {
            command = command.environment(name, value);
        }
        command
    }

    /// Starts it and awaits that it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(self) -> Gateway {
        let cache = self.home.seed_compile_cache();
        let process = Process::start(self.command().into_command());
        let address = process
            .logged("the gateway says where it listens", |line| {
                line.strip_prefix("The gateway listens on http://")?
                    .parse()
                    .ok()
            })
            .await;
        compile_cache::publish(&cache);
        let keys = match self.variable("LATCHKEY_ENCRYPTION_KEY") {
            Some(key) => Keys::from_text(&key),
            None => Keys::of(&self.home.latchkey_directory()),
        };
        let password = match self.wired {
            true => Some(keys.password()),
            false => self.variable("LATCHKEY_GATEWAY_LISTEN_PASSWORD"),
        };
        Gateway {
            process,
            address,
            keys,
            password,
            home: self.home,
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let (_, value) = self.variables.iter().rev().find(|(set, _)| set == name)?;
        value.to_str().map(str::to_owned)
    }
}

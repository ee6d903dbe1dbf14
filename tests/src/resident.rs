//! An agent where it lives: in its host's namespace, with nothing but the environment that it was given.

use std::path::Path;
use std::process::Stdio;

use crate::caller::Agent;
use crate::discovery::Discovered;
use crate::namespace::Namespace;
use crate::program::{Program, Running};
use crate::within_patience;

/// What an agent's own client does: every word of it comes from the environment.
const CLIENT: &str = r#"exec curl --disable --silent --show-error --max-time "$2" \
  --header "X-Latchkey-Gateway-Password: $LATCHKEY_GATEWAY_PASSWORD" \
  --header "X-Latchkey-Gateway-Permissions-Override: $LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE" \
  --write-out '\n%{http_code}' "$LATCHKEY_GATEWAY$1""#;

/// The same again and again, each call on a connection of its own: the content, then a line with status and exit code.
const TIRELESS: &str = r#"while :; do curl --disable --silent --max-time 15 \
  --header "X-Latchkey-Gateway-Password: $LATCHKEY_GATEWAY_PASSWORD" \
  --header "X-Latchkey-Gateway-Permissions-Override: $LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE" \
  --write-out '\n@ %{http_code} %{exitcode}\n' "$LATCHKEY_GATEWAY$1"; done"#;

/// The agent and where it lives.
pub struct Resident<'a> {
    /// Its home.
    pub namespace: &'a Namespace,
    /// Who it is.
    pub agent: Agent,
}

impl Resident<'_> {
    /// How discovery tells of it.
    pub fn discovered(&self) -> Discovered {
        Discovered::new(&self.agent.id, &self.agent.host_id)
    }

    /// Calls the gateway as an agent does: `GET`, by curl, in the namespace, with `$LATCHKEY_GATEWAY`. An answer that takes
    /// longer than ten seconds is none.
    pub async fn get(&self, path: &str) -> Reply {
        let mut command = self
            .namespace
            .command("sh", ["-c", CLIENT, "sh", path, "10"]);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(
                self.agent
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            );
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = within_patience("curl ends", command.output()).await;
        let output = output.expect("curl can be started");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = printed.rsplit_once('\n').unwrap_or_default();
        Reply {
            status: status.parse().unwrap_or_default(),
            body: body.to_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    /// Whether the gateway answers it.
    pub async fn reaches_the_gateway(&self) -> bool {
        self.get("/permissions/self").await.status == 200
    }

    /// Calls the gateway again and again until that is dropped.
    pub fn keep_asking(&self, path: &str) -> Calls {
        let mut program = Program::new("ip", Path::new("/"))
            .arguments(["netns", "exec", self.namespace.name()])
            .arguments(["sh", "-c", TIRELESS, "sh", path]);
        for (name, value) in &self.agent.environment {
            program = program.environment(name, value);
        }
        Calls(program.start())
    }
}

/// Calls of one agent, one after the other.
pub struct Calls(Running);

impl Calls {
    /// What became of the next one.
    pub async fn next(&mut self) -> Call {
        let mut body = String::new();
        loop {
            let line = self.0.line().await;
            let Some(end) = line.strip_prefix("@ ") else {
                body += &line;
                continue;
            };
            let numbers = end.split_once(' ').and_then(|(status, exit_code)| {
                Some((status.parse().ok()?, exit_code.parse().ok()?))
            });
            let (status, exit_code) = numbers.expect("a status and an exit code");
            return Call {
                status,
                exit_code,
                body,
            };
        }
    }
}

/// What became of one of many calls.
#[derive(Debug)]
pub struct Call {
    /// The status code; 0 where there was no answer.
    pub status: u16,
    /// curl's: 0 where the answer was whole, 7 where there was no connection.
    pub exit_code: u8,
    /// The content, without its line ends.
    pub body: String,
}

/// What curl got.
#[derive(Debug)]
pub struct Reply {
    /// The status code; 0 where there was no answer.
    pub status: u16,
    /// The content.
    pub body: String,
    /// What curl said on stderr.
    pub complaint: String,
}

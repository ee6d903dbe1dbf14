//! An agent where it lives: in its host's namespace, with nothing but the environment that it was given.

use std::process::Stdio;

use crate::caller::Agent;
use crate::discovery::Discovered;
use crate::namespace::Namespace;
use crate::within_patience;

/// What an agent's own client does: every word of it comes from the environment.
const CLIENT: &str = r#"exec curl --disable --silent --show-error --max-time "$2" \
  --header "X-Latchkey-Gateway-Password: $LATCHKEY_GATEWAY_PASSWORD" \
  --header "X-Latchkey-Gateway-Permissions-Override: $LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE" \
  --write-out '\n%{http_code}' "$LATCHKEY_GATEWAY$1""#;

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
    /// longer than five seconds is none.
    pub async fn get(&self, path: &str) -> Reply {
        let mut command = self
            .namespace
            .command("sh", ["-c", CLIENT, "sh", path, "5"]);
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

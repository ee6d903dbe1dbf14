//! The commands with which an agent asks for what it lacks, and an operator grants it. They name no secret: what an agent
//! proves itself with stays in its environment.

use serde::Serialize;
use serde_json::{Value, json};

use crate::permissions::explain::Explanation;
use crate::store::ids::HostId;

/// Each is a line for a POSIX shell, perhaps continued.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Commands {
    /// For the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// For the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

impl Commands {
    /// What would help; nothing where a grant would not. Without a `host` the file itself is named.
    pub(super) fn of(explanation: &Explanation, host: Option<&HostId>) -> Self {
        let whose = match host {
            Some(host) => format!("--host-id {host}"),
            None => format!("--file {}", word(&explanation.file)),
        };
        let mut grants = explanation.grants.iter();
        if let Some(grant) = grants.find(|grant| grant.obstacle.is_none()) {
            let payload = json!({"scope": grant.scope, "permissions": [grant.permission]});
            return Self {
                ask: Some(ask("predefined", &payload)),
                grant: Some(format!(
                    "mngr-latchkey permissions grant {whose} --scope {} --permission {}",
                    word(&grant.scope),
                    word(&grant.permission)
                )),
            };
        }
        let Some(access) = &explanation.file_access else {
            return Self::default();
        };
        Self {
            ask: Some(ask("file-sharing", &json!(access))),
            grant: Some(format!(
                "mngr-latchkey permissions grant {whose} --share {} --access {}",
                word(&access.path),
                access.access
            )),
        }
    }
}

fn ask(kind: &str, payload: &Value) -> String {
    let body = json!({"rationale": "what it is for", "type": kind, "payload": payload}).to_string();
    let members = body.strip_prefix('{').unwrap_or(&body);
    // The agent knows its own id.
    let body = format!(
        "{}\"$MNGR_AGENT_ID\"{}",
        quoted("{\"agent_id\":\""),
        quoted(&format!("\",{members}"))
    );
    format!(
        "curl -sS \"$LATCHKEY_GATEWAY/permission-requests\" \\\n  \
         -H \"X-Latchkey-Gateway-Password: $LATCHKEY_GATEWAY_PASSWORD\" \\\n  \
         -H \"X-Latchkey-Gateway-Permissions-Override: $LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE\" \\\n  \
         -d {body}"
    )
}

/// A word of the shell as it is, or in quotes.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_asks_for_survives_the_shell() {
        let command = ask(
            "file-sharing",
            &json!({"path": "/it's $HOME", "access": "READ"}),
        );
        assert!(
            command.ends_with(
                r#"-d '{"agent_id":"'"$MNGR_AGENT_ID"'","rationale":"what it is for","type":"file-sharing","payload":{"path":"/it'\''s $HOME","access":"READ"}}'"#
            ),
            "{command}"
        );
        assert_eq!(word("slack-api"), "slack-api");
        assert_eq!(word("a b"), "'a b'");
    }
}

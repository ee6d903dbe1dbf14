//! Bodies of requests for permission.

use serde_json::{Value, json};

/// An agent id of the right form.
pub const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";

/// Asks for permissions of a scope of the catalog.
pub fn ask<const N: usize>(scope: &str, permissions: [&str; N]) -> Value {
    json!({
        "agent_id": AGENT,
        "rationale": "The task needs it.",
        "type": "predefined",
        "payload": {"scope": scope, "permissions": permissions.as_slice()},
    })
}

/// Asks for a file or directory of the person's; `access` is `READ` or `WRITE`.
pub fn share(path: &str, access: &str) -> Value {
    json!({
        "agent_id": AGENT,
        "rationale": "The task needs it.",
        "type": "file-sharing",
        "payload": {"path": path, "access": access},
    })
}

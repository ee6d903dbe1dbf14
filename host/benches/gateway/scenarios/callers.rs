//! Who calls the gateway, and what they send.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{Agent, Home, Server};
use crate::wire::{Connection, Response};

/// An agent with the baseline and a few grants, and the admin.
pub struct Callers {
    agent: Agent,
    admin_token: String,
}

impl Callers {
    pub async fn create(home: &Home) -> Outcome<Self> {
        let agent = home.agent().await?;
        let mut file: Value = serde_json::from_slice(&std::fs::read(&agent.permissions)?)?;
        let rules = file.get_mut("rules").and_then(Value::as_array_mut);
        rules.ok_or("the baseline has no rules")?.extend([
            json!({"slack-api": ["slack-read-all", "slack-chat-write"]}),
            json!({"github-rest-api": ["github-read-all"]}),
            json!({"notion-api": ["notion-read-all"]}),
        ]);
        std::fs::write(&agent.permissions, file.to_string())?;
        let admin_token = home.run(&["admin-jwt"]).await?.0.trim().to_owned();
        Ok(Self { agent, admin_token })
    }

    pub fn agent_get(&self, path: &str) -> Arc<[u8]> {
        request(&self.agent.password, &self.agent.token, "GET", path, "")
    }

    pub fn admin_get(&self, path: &str) -> Arc<[u8]> {
        request(&self.agent.password, &self.admin_token, "GET", path, "")
    }

    pub fn post_request(&self) -> Arc<[u8]> {
        let body = json!({
            "agent_id": format!("agent-{}", "0123456789abcdef".repeat(2)),
            "rationale": "The weekly report needs the messages of the channel.",
            "type": "predefined",
            "payload": {"scope": "slack-api", "permissions": ["slack-read-all"]},
        })
        .to_string();
        let rest = format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        request(
            &self.agent.password,
            &self.agent.token,
            "POST",
            "/permission-requests",
            &rest,
        )
    }

    pub async fn fill_list(&self, gateway: &Server, length: usize) -> Outcome<()> {
        let post = self.post_request();
        let mut connection = Connection::open(gateway.address).await?;
        for _ in 0..length {
            expect(201, connection.fetch(&post).await?)?;
        }
        Ok(())
    }
}

/// A request as bytes. `rest` is what follows the common headers, and empty when nothing does.
pub fn request(password: &str, token: &str, method: &str, path: &str, rest: &str) -> Arc<[u8]> {
    let rest = if rest.is_empty() { "\r\n" } else { rest };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:1989\r\nuser-agent: benchmark\r\naccept: */*\r\n\
         x-latchkey-gateway-password: {password}\r\nx-latchkey-gateway-permissions-override: {token}\r\n{rest}"
    )
    .into_bytes()
    .into()
}

pub fn expect(status: u16, response: Response) -> Outcome<Response> {
    if response.status == status {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(&response.body);
    Err(format!("got status {}, expected {status}: {body}", response.status).into())
}

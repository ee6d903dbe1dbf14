//! The gateway's proxy beside a plain one, both before the same upstream in a process of its own.
//!
//! The gateway is called as an agent calls it: password, override token, the agent's own part of the Minds API, with a
//! key that the gateway adds. The plain proxy gets the very same bytes and passes them on.

pub mod memory;
pub mod slow;
pub mod small;
pub mod streams;
pub mod transfers;

use std::sync::Arc;

use super::callers::{expect, request};
use crate::Outcome;
use crate::load::Load;
use crate::process::{Agent, Home, Server};
use crate::upstream::SMALL;
use crate::wire::{Connection, Outline};

/// An upstream, and what stands before it.
struct Stage {
    upstream: Server,
    gateway: Server,
    plain: Server,
    agent: Agent,
    agent_id: String,
    /// The gateway's, for as long as it runs.
    _home: Home,
}

impl Stage {
    /// Everything running, and a small answer seen through each.
    async fn set() -> Outcome<Self> {
        let home = Home::new()?;
        let agent = home.agent().await?;
        let agent_id = home.register(&agent).await?;
        let upstream = Server::start_upstream().await?;
        let plain = Server::start_reverse_proxy_before(&upstream).await?;
        // The first start compiles, which leaves memory behind that later ones never ask for.
        home.start_gateway_before(&upstream).await?.stop().await?;
        let gateway = home.start_gateway_before(&upstream).await?;
        let stage = Self {
            upstream,
            gateway,
            plain,
            agent,
            agent_id,
            _home: home,
        };
        for server in [&stage.upstream, &stage.plain, &stage.gateway] {
            let mut connection = Connection::open(server.address).await?;
            expect(200, connection.fetch(&stage.get("small")).await?)?;
        }
        Ok(stage)
    }

    fn get(&self, asked: &str) -> Arc<[u8]> {
        self.request("GET", asked, "")
    }

    /// The head of an upload of so many bytes.
    fn upload(&self, length: u64) -> Arc<[u8]> {
        let rest =
            format!("content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n");
        self.request("POST", "upload", &rest)
    }

    fn request(&self, method: &str, asked: &str, rest: &str) -> Arc<[u8]> {
        let path = format!("/minds-api-proxy/api/v1/agents/{}/{asked}", self.agent_id);
        request(&self.agent.password, &self.agent.token, method, &path, rest)
    }

    /// Small requests to one of the servers.
    fn small(&self, server: &Server) -> Load {
        Load {
            address: server.address,
            request: self.get("small"),
            expected: Outline {
                status: 200,
                body_length: SMALL,
            },
        }
    }

    async fn strike(self) -> Outcome<()> {
        self.gateway.stop().await?;
        self.plain.stop().await?;
        self.upstream.stop().await
    }
}

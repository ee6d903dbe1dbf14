//! From what discovery reports to what the tunnels have to do.
//!
//! Two handlers, so that an embedder may take one and replace the other; a pair of them is what
//! [`Discovery`](super::discovery::Discovery) asks for. They return at once: tunnels are made and closed in the background.

use std::net::SocketAddr;

use super::discovery::{AgentHandler, DiscoveredAgent};
use super::tunnels::{Forward, TunnelManager};
use crate::store::ids::{AgentId, HostId};

/// Gives every discovered agent a tunnel to the gateway.
#[derive(Clone)]
pub struct DiscoveryHandler {
    tunnels: TunnelManager,
    forward: Forward,
}

/// Takes the tunnel from every destroyed agent.
#[derive(Clone)]
pub struct DestructionHandler {
    tunnels: TunnelManager,
}

impl DiscoveryHandler {
    /// Agents reach `gateway` at this port of their host's `127.0.0.1`.
    pub fn new(tunnels: TunnelManager, remote_port: u16, gateway: SocketAddr) -> Self {
        let forward = Forward {
            remote_port,
            target: gateway,
        };
        Self { tunnels, forward }
    }

    /// Sees to the agent's tunnel; repeating it changes nothing.
    ///
    /// Without SSH information there is nothing to be done: it may still come, and an agent on this machine needs no tunnel. A
    /// tunnel that stands already stays.
    pub fn discovered(&self, agent: &DiscoveredAgent) {
        match &agent.ssh {
            Some(ssh) => self.tunnels.forward(
                agent.agent.clone(),
                agent.host.clone(),
                ssh.clone(),
                self.forward,
            ),
            None => {
                tracing::debug!(agent = %agent.agent, host = %agent.host, "no SSH information, so no tunnel");
            }
        }
    }
}

impl DestructionHandler {
    pub fn new(tunnels: TunnelManager) -> Self {
        Self { tunnels }
    }

    /// Lets go of what the agent needed on this host. The last agent's end closes the connection.
    pub fn destroyed(&self, agent: &AgentId, host: &HostId) {
        let forwards = self.tunnels.remove_agent_from(agent, host);
        if forwards > 0 {
            tracing::info!(%agent, %host, "the agent is gone and needs no tunnel any more");
        }
    }
}

impl AgentHandler for (DiscoveryHandler, DestructionHandler) {
    fn discovered(&self, agent: &DiscoveredAgent) {
        self.0.discovered(agent);
    }

    fn destroyed(&self, agent: &AgentId, host: &HostId) {
        self.1.destroyed(agent, host);
    }
}

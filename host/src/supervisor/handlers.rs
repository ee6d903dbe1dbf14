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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::runtime::Handle;

    use super::*;
    use crate::supervisor::ssh_info::SshInfo;
    use crate::supervisor::tunnels::RememberedSessions;

    fn discovered(agent: usize, host: usize, ssh_port: Option<u16>) -> DiscoveredAgent {
        DiscoveredAgent {
            agent: AgentId::parse(&format!("agent-{agent:032x}")).unwrap(),
            host: HostId::parse(&format!("host-{host:032x}")).unwrap(),
            name: "a".to_owned(),
            provider: "docker".to_owned(),
            ssh: ssh_port.map(|port| SshInfo {
                user: "root".to_owned(),
                host: "127.0.0.1".to_owned(),
                port,
                key_path: "/nowhere/id".into(),
                known_hosts_path: None,
            }),
        }
    }

    /// Of each host: its number, its address, how many agents it has.
    fn seen(tunnels: &TunnelManager) -> Vec<(String, String, usize)> {
        let mut hosts: Vec<_> = tunnels
            .status()
            .into_iter()
            .filter(|status| !status.agents.is_empty())
            .map(|status| {
                let number = status.host.as_str().trim_start_matches("host-0").to_owned();
                (
                    number.trim_start_matches('0').to_owned(),
                    status.address,
                    status.agents.len(),
                )
            })
            .collect();
        hosts.sort();
        hosts
    }

    fn host(number: &str, ssh_port: u16, agents: usize) -> (String, String, usize) {
        let address = format!("root@127.0.0.1:{ssh_port}");
        (number.to_owned(), address, agents)
    }

    #[tokio::test]
    async fn agents_have_a_tunnel_from_discovery_to_destruction() {
        let directory = tempfile::tempdir().unwrap();
        let sessions = Arc::new(RememberedSessions::default());
        let tunnels = TunnelManager::new(Handle::current(), directory.path().to_owned(), sessions);
        let gateway = SocketAddr::from(([127, 0, 0, 1], 4000));
        let handlers = (
            DiscoveryHandler::new(tunnels.clone(), 1989, gateway),
            DestructionHandler::new(tunnels.clone()),
        );

        handlers.discovered(&discovered(1, 1, None));
        assert_eq!(seen(&tunnels), [], "nobody knows the way yet");
        handlers.discovered(&discovered(1, 1, Some(1)));
        handlers.discovered(&discovered(2, 1, Some(1)));
        handlers.discovered(&discovered(2, 2, Some(2)));
        assert_eq!(seen(&tunnels), [host("1", 1, 2), host("2", 2, 1)]);

        handlers.discovered(&discovered(1, 1, None));
        handlers.discovered(&discovered(2, 2, Some(3)));
        assert_eq!(seen(&tunnels), [host("1", 1, 2), host("2", 3, 1)]);

        let gone = discovered(2, 1, None);
        handlers.destroyed(&gone.agent, &gone.host);
        assert_eq!(seen(&tunnels), [host("1", 1, 1), host("2", 3, 1)]);
        let gone = discovered(1, 1, None);
        handlers.destroyed(&gone.agent, &gone.host);
        handlers.destroyed(&gone.agent, &gone.host);
        assert_eq!(seen(&tunnels), [host("2", 3, 1)]);
    }
}

//! What a host's task is to bring about. Written by the manager alone; the task works towards whatever stands here last.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::link::Forward;
use crate::store::ids::AgentId;
use crate::supervisor::ssh_info::SshInfo;

/// The connection and the ports that a host is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) ssh: SshInfo,
    pub(super) ports: BTreeMap<u16, Port>,
    /// Everything ends, whoever still needs it.
    pub(super) closing: bool,
}

/// A port that is to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) target: SocketAddr,
    /// Who needs it; never empty.
    pub(super) agents: Vec<AgentId>,
}

impl Wanted {
    pub(super) fn nothing(ssh: SshInfo) -> Self {
        Self {
            ssh,
            ports: BTreeMap::new(),
            closing: false,
        }
    }

    /// Whether the connection has no purpose any more.
    pub(super) fn is_over(&self) -> bool {
        self.closing || self.ports.is_empty()
    }

    /// Every agent once, in order of their ids.
    pub(super) fn agents(&self) -> Vec<AgentId> {
        let mut agents: Vec<AgentId> = self
            .ports
            .values()
            .flat_map(|port| port.agents.iter().cloned())
            .collect();
        agents.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        agents.dedup();
        agents
    }

    /// Notes that `agent` needs `forward`. Whether anything changed by that.
    pub(super) fn add(&mut self, agent: &AgentId, ssh: &SshInfo, forward: Forward) -> bool {
        let same_address = self.ssh == *ssh;
        if !same_address {
            self.ssh = ssh.clone();
        }
        let port = self
            .ports
            .entry(forward.remote_port)
            .or_insert_with(|| Port {
                target: forward.target,
                agents: Vec::new(),
            });
        let same_target = port.target == forward.target;
        port.target = forward.target;
        let known = port.agents.contains(agent);
        if !known {
            port.agents.push(agent.clone());
        }
        !(same_address && same_target && known)
    }

    /// Lets go of everything that `agent` needed: the number of forwards.
    pub(super) fn remove(&mut self, agent: &AgentId) -> usize {
        let mut count = 0;
        self.ports.retain(|_, port| {
            let before = port.agents.len();
            port.agents.retain(|other| other != agent);
            count += before - port.agents.len();
            !port.agents.is_empty()
        });
        count
    }
}

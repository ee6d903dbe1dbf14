//! Which agents there are, and how their hosts are reached.
//!
//! A pure state machine: an event and the time go in, what changed comes out. Nothing is reported twice: an event that says what
//! is known already changes nothing. A snapshot of everything replaces the set; one of a provider speaks for that provider
//! alone, and never against what happened after mngr began to look. What mngr could not look at is kept. An agent that exists
//! on two hosts, as in a migration, is two entries.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use jiff::Timestamp;

use super::DiscoveredAgent;
use super::event::{Agent, Event, Scope, Snapshot};
use super::recent::{Item, Recent, State};
use crate::store::ids::{AgentId, HostId};
use crate::supervisor::ssh_info::SshInfo;

/// For how many hosts without an agent the way to them is kept: mngr may not say it again when they get one.
const LIMIT_OF_SPARE_HOSTS: usize = 1_000;

/// A difference to what was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An agent is new, or something about it or the way to its host is.
    Discovered(DiscoveredAgent),
    Destroyed(AgentId, HostId),
}

/// The known set.
#[derive(Debug, Default)]
pub(super) struct Known {
    agents: HashMap<(AgentId, HostId), Described>,
    hosts: HashMap<HostId, Reached>,
    /// How many ways were learned so far.
    learned: u64,
    recent: Recent,
    /// Of the last snapshot of everything.
    last_snapshot: Option<u64>,
    /// Since mngr was started, no snapshot of everything has come.
    is_fresh_start: bool,
}

/// What is known of an agent besides its name and place.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    name: String,
    provider: String,
}

#[derive(Debug)]
struct Reached {
    ssh: SshInfo,
    /// Its place in the order of learning.
    learned: u64,
}

impl Known {
    /// mngr begins anew: it may repeat the last snapshot that it gave before.
    pub(super) fn observer_started(&mut self) {
        self.is_fresh_start = true;
    }

    pub(super) fn number_of_agents(&self) -> usize {
        self.agents.len()
    }

    /// Takes in what mngr says.
    pub(super) fn apply(&mut self, event: Event, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        match event {
            Event::AgentDiscovered { at, agent } => {
                let item = Item::Agent(agent.id.clone(), agent.host.clone());
                self.recent.note(item, at, State::Present, now);
                self.describe(agent, &mut changes);
            }
            Event::AgentDestroyed { at, agent, host } => {
                let item = Item::Agent(agent.clone(), host.clone());
                self.recent.note(item, at, State::Destroyed, now);
                if self.agents.remove(&(agent.clone(), host.clone())).is_some() {
                    changes.push(Change::Destroyed(agent, host));
                }
            }
            Event::HostDiscovered { at, host, ssh } => {
                let item = Item::Host(host.clone());
                self.recent.note(item, at, State::Present, now);
                if let Some(ssh) = ssh {
                    self.reach(host, ssh, &mut changes);
                }
            }
            Event::HostSsh { at, host, ssh } => {
                let item = Item::Host(host.clone());
                self.recent.note(item, at, State::Present, now);
                self.reach(host, ssh, &mut changes);
            }
            Event::HostDestroyed { at, host, agents } => {
                self.destroy_host(&host, agents, at, now, &mut changes);
            }
            Event::Snapshot(snapshot) => self.compare(snapshot, now, &mut changes),
            Event::Error(_) => {}
        }
        changes
    }

    fn describe(&mut self, agent: Agent, changes: &mut Vec<Change>) {
        let described = Described {
            name: agent.name,
            provider: agent.provider,
        };
        let key = (agent.id, agent.host);
        if self.agents.get(&key) == Some(&described) {
            return;
        }
        changes.push(self.discovered(&key, &described));
        self.agents.insert(key, described);
    }

    fn discovered(&self, (agent, host): &(AgentId, HostId), described: &Described) -> Change {
        Change::Discovered(DiscoveredAgent {
            agent: agent.clone(),
            host: host.clone(),
            name: described.name.clone(),
            provider: described.provider.clone(),
            ssh: self.hosts.get(host).map(|reached| reached.ssh.clone()),
        })
    }

    fn reach(&mut self, host: HostId, ssh: SshInfo, changes: &mut Vec<Change>) {
        if self.hosts.get(&host).is_some_and(|known| known.ssh == ssh) {
            return;
        }
        self.learned += 1;
        let learned = self.learned;
        self.hosts.insert(host.clone(), Reached { ssh, learned });
        let affected = self.agents.iter().filter(|((_, of), _)| *of == host);
        changes.extend(affected.map(|(key, described)| self.discovered(key, described)));
        self.forget_spare_hosts();
    }

    /// Forgets the host that was learned first of those without an agent, when they are too many.
    fn forget_spare_hosts(&mut self) {
        // The agents' hosts are at most as many as the agents.
        if self.hosts.len() <= self.agents.len() + LIMIT_OF_SPARE_HOSTS {
            return;
        }
        let used: HashSet<&HostId> = self.agents.keys().map(|(_, host)| host).collect();
        let spare = self.hosts.iter().filter(|(host, _)| !used.contains(host));
        let first = spare
            .min_by_key(|(_, reached)| reached.learned)
            .map(|(host, _)| host.clone());
        if let Some(host) = first {
            self.hosts.remove(&host);
        }
    }

    fn destroy_host(
        &mut self,
        host: &HostId,
        agents: Vec<AgentId>,
        at: Timestamp,
        now: Instant,
        changes: &mut Vec<Change>,
    ) {
        self.hosts.remove(host);
        let item = Item::Host(host.clone());
        self.recent.note(item, at, State::Destroyed, now);
        for agent in agents {
            let item = Item::Agent(agent, host.clone());
            self.recent.note(item, at, State::Destroyed, now);
        }
        let affected: Vec<_> = self
            .agents
            .extract_if(|(_, of), _| of == host)
            .map(|(key, _)| key)
            .collect();
        for (agent, host) in affected {
            let item = Item::Agent(agent.clone(), host.clone());
            self.recent.note(item, at, State::Destroyed, now);
            changes.push(Change::Destroyed(agent, host));
        }
    }

    fn compare(&mut self, snapshot: Snapshot, now: Instant, changes: &mut Vec<Change>) {
        let Snapshot {
            scope,
            agents,
            ssh,
            unknown_agents,
            unknown_hosts,
        } = snapshot;
        if let Scope::Everything { fingerprint, .. } = scope {
            let is_replay = self.is_fresh_start && self.last_snapshot == Some(fingerprint);
            self.is_fresh_start = false;
            self.last_snapshot = Some(fingerprint);
            if is_replay {
                return;
            }
        }
        for (host, ssh) in ssh {
            if self.newer(&Item::Host(host.clone()), &scope, now).is_none() {
                self.reach(host, ssh, changes);
            }
        }
        let mut kept: HashSet<(AgentId, HostId)> = HashSet::with_capacity(agents.len());
        for agent in agents {
            let key = (agent.id.clone(), agent.host.clone());
            let item = Item::Agent(agent.id.clone(), agent.host.clone());
            let host = Item::Host(agent.host.clone());
            let is_overtaken = self.newer(&item, &scope, now).is_some()
                || self.newer(&host, &scope, now) == Some(State::Destroyed);
            if !is_overtaken {
                self.describe(agent, changes);
            }
            kept.insert(key);
        }
        let recent = &self.recent;
        let is_gone = |key: &(AgentId, HostId), described: &Described| {
            let (agent, host) = key;
            let is_spoken_for = match &scope {
                Scope::Everything { failed, .. } => failed
                    .iter()
                    .all(|failure| failure.source != described.provider),
                Scope::Provider {
                    name,
                    failed,
                    began,
                } => {
                    let item = Item::Agent(agent.clone(), host.clone());
                    failed.is_none()
                        && *name == described.provider
                        && recent.since(&item, *began, now).is_none()
                }
            };
            is_spoken_for
                && !kept.contains(key)
                && !unknown_agents.contains(agent)
                && !unknown_hosts.contains(host)
        };
        let gone = self
            .agents
            .extract_if(|key, described| is_gone(key, described));
        changes.extend(gone.map(|((agent, host), _)| Change::Destroyed(agent, host)));
    }

    /// What happened to `item` after mngr began to look. A snapshot of everything does not say when that was: it stands.
    fn newer(&self, item: &Item, scope: &Scope, now: Instant) -> Option<State> {
        match scope {
            Scope::Everything { .. } => None,
            Scope::Provider { began, .. } => self.recent.since(item, *began, now),
        }
    }
}

#[cfg(test)]
mod tests;

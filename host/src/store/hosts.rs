//! The hosts of a latchkey directory: each has a directory with its permissions file.

use std::fs;
use std::io;

use super::baseline::registered_agents;
use super::durable::StorageError;
use super::ids::{AgentId, HostId};
use super::paths::LatchkeyDirectory;
use super::permissions_file;

/// Why an agent's host cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum AgentHostError {
    #[error(
        "no host's permissions file has the agent {0} in its list of agents: run register-agent for it first, or name the host with --host-id"
    )]
    None(AgentId),
    #[error(
        "the agent {agent} is registered on several hosts, {}: name one with --host-id",
        join(hosts)
    )]
    Several { agent: AgentId, hosts: Vec<HostId> },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn join(hosts: &[HostId]) -> String {
    let hosts: Vec<_> = hosts.iter().map(HostId::as_str).collect();
    hosts.join(" and ")
}

/// Every host that has a directory, whatever is in it, by id.
pub(super) fn with_directory(directory: &LatchkeyDirectory) -> Result<Vec<HostId>, StorageError> {
    let hosts = directory.hosts_dir();
    let error = |source| StorageError::new("list", &hosts, source);
    let entries = match fs::read_dir(&hosts) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(error)?.file_name();
        found.extend(name.to_str().and_then(|name| HostId::parse(name).ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Every host that has a permissions file, whatever the file holds, by id.
pub fn all(directory: &LatchkeyDirectory) -> Result<Vec<HostId>, StorageError> {
    let mut hosts = with_directory(directory)?;
    hosts.retain(|host| {
        let file = directory.host_permissions(host);
        file.symlink_metadata().is_ok()
    });
    Ok(hosts)
}

/// The host on which `agent` is registered. A permissions file that cannot be read has no agents.
pub fn of_agent(directory: &LatchkeyDirectory, agent: &AgentId) -> Result<HostId, AgentHostError> {
    let mut hosts = all(directory)?;
    hosts.retain(|host| {
        let reading = permissions_file::read(&directory.host_permissions(host));
        let content = reading.ok().flatten().map(|reading| reading.content);
        content
            .and_then(|content| serde_json::from_slice(&content).ok())
            .is_some_and(|config| {
                let mut agents = registered_agents(&config).into_iter();
                agents.any(|(_, id)| id == agent.as_str())
            })
    });
    match (hosts.pop(), hosts.is_empty()) {
        (Some(host), true) => Ok(host),
        (Some(host), false) => {
            hosts.push(host);
            Err(AgentHostError::Several {
                agent: agent.clone(),
                hosts,
            })
        }
        (None, _) => Err(AgentHostError::None(agent.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::baseline;
    use crate::store::permissions_file::edit;

    fn id(kind: &str, digit: char) -> String {
        format!("{kind}-{}", digit.to_string().repeat(32))
    }

    fn host(digit: char) -> HostId {
        HostId::parse(&id("host", digit)).unwrap()
    }

    fn agent(digit: char) -> AgentId {
        AgentId::parse(&id("agent", digit)).unwrap()
    }

    fn register(directory: &LatchkeyDirectory, on: char, digit: char) {
        edit(&directory.host_permissions(&host(on)), None, |config| {
            baseline::register(config, &agent(digit))
        })
        .unwrap();
    }

    fn directory(root: &Path) -> LatchkeyDirectory {
        LatchkeyDirectory::new(root).unwrap()
    }

    #[test]
    fn an_agent_is_found_where_it_is_registered() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        assert!(all(&directory).unwrap().is_empty());
        register(&directory, '2', 'a');
        register(&directory, '1', 'b');
        register(&directory, '1', 'c');
        fs::create_dir_all(directory.hosts_dir().join("host-of-nobody")).unwrap();
        fs::create_dir_all(directory.hosts_dir().join(id("host", '3'))).unwrap();
        let broken = directory.host_permissions(&host('4'));
        fs::create_dir_all(broken.parent().unwrap()).unwrap();
        fs::write(&broken, "{").unwrap();
        assert_eq!(all(&directory).unwrap(), [host('1'), host('2'), host('4')]);
        assert_eq!(of_agent(&directory, &agent('a')).unwrap(), host('2'));
        assert_eq!(of_agent(&directory, &agent('c')).unwrap(), host('1'));
    }

    #[test]
    fn none_and_several_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        let message = |digit| of_agent(&directory, &agent(digit)).unwrap_err().to_string();
        assert!(message('a').contains("register-agent"), "{}", message('a'));
        register(&directory, '2', 'a');
        register(&directory, '1', 'a');
        let both = format!("{} and {}", id("host", '1'), id("host", '2'));
        assert!(message('a').contains(&both), "{}", message('a'));
    }
}

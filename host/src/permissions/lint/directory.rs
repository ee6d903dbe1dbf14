//! All permissions files of a latchkey directory, and what is around them: their modes, the handles that lead to them, and
//! the hosts and agents that they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Code, Finding, lint_private};
use crate::permissions::BuiltinSchemas;
use crate::store::baseline;
use crate::store::ids::{AgentId, HostId};
use crate::store::paths::LatchkeyDirectory;

/// Which hosts and agents there are, as far as somebody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// All agents, by their hosts.
    Known(BTreeMap<HostId, BTreeSet<AgentId>>),
    /// Why nobody knows: a sentence without its end.
    Unknown(String),
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Survey {
    /// The permissions files, without those that they include.
    pub files: usize,
    pub findings: Vec<Finding>,
}

/// What is wrong with the permissions files of `directory`. Blocking; a file that cannot be read is a finding.
pub fn lint_directory(
    directory: &LatchkeyDirectory,
    builtin: &BuiltinSchemas,
    presence: &Presence,
) -> Survey {
    let mut survey = Survey::default();
    for file in [
        directory.default_permissions(),
        directory.admin_permissions(),
    ] {
        survey.look_at(&file, builtin);
    }
    let mut hosts = Vec::new();
    for entry in names_in(&directory.plugin_data_dir().join("hosts")) {
        let host = entry.to_str().and_then(|name| HostId::parse(name).ok());
        if let Some(host) = host
            && directory.host_permissions(&host).symlink_metadata().is_ok()
        {
            survey.look_at(&directory.host_permissions(&host), builtin);
            hosts.push(host);
        }
    }
    let handles = directory.handles_dir();
    for name in names_in(&handles) {
        if name
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            survey.look_at_handle(&handles.join(name), builtin);
        }
    }
    survey.look_for_gone(directory, &hosts, presence);
    survey.findings.sort_by_key(Finding::order);
    // What several files include is told once.
    survey.findings.dedup();
    survey
}

impl Survey {
    fn look_at(&mut self, file: &Path, builtin: &BuiltinSchemas) {
        if file.symlink_metadata().is_err() {
            return;
        }
        self.files += 1;
        match lint_private(file, builtin) {
            Ok(findings) => self.findings.extend(findings),
            Err(error) => self.findings.push(Finding::unusable(file, &error)),
        }
    }

    /// A handle that is a link leads to a file that is looked at by itself.
    fn look_at_handle(&mut self, handle: &Path, builtin: &BuiltinSchemas) {
        let Ok(metadata) = handle.symlink_metadata() else {
            return;
        };
        if metadata.is_file() {
            self.look_at(handle, builtin);
        } else if metadata.is_symlink() && handle.metadata().is_err() {
            let target = fs::read_link(handle).unwrap_or_default();
            self.findings.push(Finding::about_file(
                handle,
                Code::DanglingHandle,
                format!(
                    "leads to {}, which does not exist, so every request of its agent is refused",
                    target.display()
                ),
                "restore that file, or remove the handle if its agent is gone",
            ));
        }
    }

    /// Hosts whose file nobody needs any more, and agents that a file still lets through.
    fn look_for_gone(
        &mut self,
        directory: &LatchkeyDirectory,
        hosts: &[HostId],
        presence: &Presence,
    ) {
        let known = match presence {
            Presence::Known(known) => known,
            Presence::Unknown(reason) => {
                if !hosts.is_empty() {
                    self.findings.push(Finding::about_file(
                        &directory.plugin_data_dir().join("hosts"),
                        Code::HostsNotChecked,
                        format!("whether the hosts and agents of these files still exist is not known: {reason}"),
                        "ask again while a supervisor runs that has seen all agents",
                    ));
                }
                return;
            }
        };
        for host in hosts {
            let file = directory.host_permissions(host);
            match known.get(host) {
                None => self.findings.push(Finding::about_file(
                    &file,
                    Code::UnknownHost,
                    format!("grants to {host}, on which the supervisor knows no agent"),
                    "remove the host's directory if the host is gone",
                )),
                Some(agents) => self.findings.extend(gone_agents(&file, agents)),
            }
        }
    }
}

/// The agents that a host's file lets through and nobody knows.
fn gone_agents(file: &Path, agents: &BTreeSet<AgentId>) -> Vec<Finding> {
    let content = fs::read(file).unwrap_or_default();
    let Ok(config) = serde_json::from_slice(&content) else {
        // Told already, as a file that cannot be read.
        return Vec::new();
    };
    let registered = baseline::registered_agents(&config).into_iter();
    let is_gone = |agent: &str| agents.iter().all(|known| known.as_str() != agent);
    registered
        .filter(|(_, agent)| is_gone(agent))
        .map(|(place, agent)| {
            let mut finding = Finding::about_file(
                file,
                Code::UnknownAgent,
                format!("lets {agent} through, which the supervisor does not know on this host"),
                "remove the entry if the agent is gone",
            );
            finding.place = format!("#{place}");
            finding
        })
        .collect()
}

/// The names in a directory, in order; none where it cannot be read.
fn names_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| PathBuf::from(entry.file_name()))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::store::handles;

    fn host(digit: char) -> HostId {
        HostId::parse(&format!("host-{}", digit.to_string().repeat(32))).expect("an id")
    }

    fn agent(digit: char) -> AgentId {
        AgentId::parse(&format!("agent-{}", digit.to_string().repeat(32))).expect("an id")
    }

    struct Scene {
        _root: TempDir,
        directory: LatchkeyDirectory,
    }

    impl Scene {
        fn new() -> Self {
            let root = TempDir::new().expect("a directory");
            let directory = LatchkeyDirectory::new(root.path()).expect("a path");
            directory.initialise().expect("initialised");
            Self {
                _root: root,
                directory,
            }
        }

        fn host_file(&self, host: &HostId, content: &Value) -> PathBuf {
            let file = self.directory.host_permissions(host);
            fs::create_dir_all(file.parent().expect("a parent")).expect("created");
            fs::write(&file, content.to_string()).expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("private");
            file
        }

        fn lint(&self, presence: &Presence) -> Vec<Finding> {
            lint_directory(&self.directory, &BuiltinSchemas::standard(), presence).findings
        }

        fn codes(&self, presence: &Presence) -> Vec<Code> {
            let findings = self.lint(presence);
            findings.into_iter().map(|finding| finding.code).collect()
        }
    }

    fn known<const N: usize>(agents: [(HostId, AgentId); N]) -> Presence {
        let mut known: BTreeMap<HostId, BTreeSet<AgentId>> = BTreeMap::new();
        for (host, agent) in agents {
            known.entry(host).or_default().insert(agent);
        }
        Presence::Known(known)
    }

    fn registered(agents: &[AgentId]) -> Value {
        let config = agents.iter().fold(None, |config, agent| {
            Some(baseline::register(config, agent).expect("registered"))
        });
        Value::Object(config.unwrap_or_else(baseline::agent_baseline))
    }

    #[test]
    fn a_directory_in_use_is_clean() {
        let scene = Scene::new();
        let first = handles::create(&scene.directory).expect("a handle");
        handles::create(&scene.directory).expect("a handle that is not linked yet");
        handles::link(&scene.directory, &first, &host('1')).expect("linked");
        scene.host_file(&host('2'), &registered(&[agent('2')]));
        let presence = known([(host('1'), agent('1')), (host('2'), agent('2'))]);
        assert_eq!(scene.lint(&presence), []);
    }

    #[test]
    fn hosts_and_agents_that_are_gone_are_found_where_all_are_known() {
        let scene = Scene::new();
        let gone = scene.host_file(&host('1'), &registered(&[]));
        let half = scene.host_file(&host('2'), &registered(&[agent('2'), agent('3')]));
        let findings = scene.lint(&known([(host('2'), agent('2'))]));
        let seen: Vec<_> = findings
            .iter()
            .map(|finding| (finding.code, &finding.file))
            .collect();
        assert_eq!(
            seen,
            [(Code::UnknownHost, &gone), (Code::UnknownAgent, &half)]
        );
        assert!(findings[1].place.ends_with("/anyOf/1"), "{findings:?}");
        let unknown = Presence::Unknown("no supervisor runs".to_owned());
        assert_eq!(scene.codes(&unknown), [Code::HostsNotChecked]);
    }

    #[test]
    fn files_that_others_can_read_or_write_are_found() {
        let scene = Scene::new();
        let file = scene.host_file(&host('1'), &json!({"rules": []}));
        let presence = known([(host('1'), agent('1'))]);
        for (mode, codes) in [
            (0o600, vec![]),
            (0o640, vec![Code::ReadableByOthers]),
            (0o622, vec![Code::WritableByOthers]),
            (0o666, vec![Code::WritableByOthers]),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("changed");
            assert_eq!(scene.codes(&presence), codes, "{mode:o}");
        }
    }

    #[test]
    fn handles_that_lead_nowhere_and_files_that_cannot_be_read_are_found() {
        let scene = Scene::new();
        fs::create_dir_all(scene.directory.handles_dir()).expect("created");
        symlink("/nowhere", scene.directory.handles_dir().join("a.json")).expect("linked");
        scene.host_file(&host('1'), &json!([]));
        let presence = known([(host('1'), agent('1'))]);
        assert_eq!(
            scene.codes(&presence),
            [Code::UnusableFile, Code::DanglingHandle]
        );
    }

    #[test]
    fn what_several_files_include_is_told_once() {
        let scene = Scene::new();
        let shared = scene.directory.plugin_data_dir().join("shared.json");
        let schema = json!({"properties": {"method": {"const": "get"}}, "required": ["method"]});
        fs::write(
            &shared,
            json!({"schemas": {"it": schema}, "rules": [{"it": []}]}).to_string(),
        )
        .expect("written");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o644)).expect("readable");
        for digit in ['1', '2'] {
            scene.host_file(&host(digit), &json!({"include": ["../../shared.json"]}));
        }
        let presence = known([(host('1'), agent('1')), (host('2'), agent('1'))]);
        assert_eq!(
            scene.codes(&presence),
            [Code::ImpossibleValue, Code::ScopeMatchesNothing]
        );
    }
}

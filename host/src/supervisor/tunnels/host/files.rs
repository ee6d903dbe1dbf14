//! The files that decide whether a host may be trusted and whether it trusts us: the key and the `known_hosts` that goes with it.

use std::path::Path;

use crate::store::stamp::Stamp;
use crate::supervisor::ssh_info::SshInfo;

/// One state of both files.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files {
    /// None: not even its state can be read.
    key: Option<Stamp>,
    known_hosts: Option<Stamp>,
}

impl Files {
    /// Their state now.
    pub(super) async fn of(ssh: &SshInfo) -> Self {
        let ssh = ssh.clone();
        tokio::task::spawn_blocking(move || Self {
            known_hosts: stamp(&ssh.known_hosts()),
            key: stamp(&ssh.key_path),
        })
        .await
        .unwrap_or_default()
    }

    /// Whether reading them again may give something else.
    pub(super) fn differ_from(&self, earlier: &Self) -> bool {
        differs(earlier.key, self.key) || differs(earlier.known_hosts, self.known_hosts)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    Stamp::of(path).ok()
}

fn differs(earlier: Option<Stamp>, now: Option<Stamp>) -> bool {
    match (earlier, now) {
        (Some(earlier), Some(now)) => !earlier.is_same(&now),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_change_of_either_file_shows_and_none_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let key_path = directory.path().join("id");
        let ssh = SshInfo {
            user: "root".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 22,
            key_path: key_path.clone(),
            known_hosts_path: None,
        };
        let absent = Files::of(&ssh).await;
        assert!(!Files::of(&ssh).await.differ_from(&absent));
        fs::write(directory.path().join("known_hosts"), "x").unwrap();
        let with_hosts = Files::of(&ssh).await;
        assert!(with_hosts.differ_from(&absent), "{with_hosts:?}");
        fs::write(&key_path, "key").unwrap();
        let with_key = Files::of(&ssh).await;
        assert!(with_key.differ_from(&with_hosts), "{with_key:?}");
    }

    #[tokio::test]
    async fn files_that_cannot_be_looked_at_are_not_taken_as_changing_all_the_time() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "x").unwrap();
        let ssh = SshInfo {
            user: "root".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 22,
            key_path: directory.path().join("file/id"),
            known_hosts_path: None,
        };
        let earlier = Files::of(&ssh).await;
        assert!(!Files::of(&ssh).await.differ_from(&earlier), "{earlier:?}");
    }
}

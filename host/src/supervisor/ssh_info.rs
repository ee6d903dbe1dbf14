//! How an agent host is reached by SSH.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// As discovery reports it (contract section 6). Members that are not needed to connect are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct SshInfo {
    pub user: String,
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// The private key.
    pub key_path: PathBuf,
    /// Where the host's keys are, in newer versions of mngr; none: in `known_hosts` beside the private key.
    #[serde(default)]
    pub known_hosts_path: Option<PathBuf>,
}

impl SshInfo {
    /// The file that lists the host's keys, if there is one.
    pub fn known_hosts(&self) -> PathBuf {
        match &self.known_hosts_path {
            Some(path) => path.clone(),
            None => self.key_path.with_file_name("known_hosts"),
        }
    }
}

/// `user@host:port`, an IPv6 address in brackets.
impl fmt::Display for SshInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "{}@[{}]:{}", self.user, self.host, self.port)
        } else {
            write!(formatter, "{}@{}:{}", self.user, self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_beside_the_private_key_unless_mngr_names_their_file() {
        let json =
            r#"{"user": "u", "host": "::1", "port": 22, "key_path": "/k/id", "command": "ssh"}"#;
        let ssh: SshInfo = serde_json::from_str(json).unwrap();
        assert_eq!(ssh.known_hosts(), PathBuf::from("/k/known_hosts"));
        assert_eq!(ssh.to_string(), "u@[::1]:22");
        let named = json.replace("\"command\"", "\"known_hosts_path\": \"/h\", \"command\"");
        let ssh: SshInfo = serde_json::from_str(&named).unwrap();
        assert_eq!(ssh.known_hosts(), PathBuf::from("/h"));
    }
}

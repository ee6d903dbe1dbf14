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
    /// The private key; `known_hosts` is expected beside it.
    pub key_path: PathBuf,
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

//! Keys of OpenSSH's, and what a client knows of hosts.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::system::run;

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// What everybody uses by now.
    Ed25519,
    /// Of 3072 bits.
    Rsa,
    /// On the curve P-256.
    Ecdsa,
}

impl KeyKind {
    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
            Self::Ecdsa => "ecdsa",
        }
    }
}

/// A private key in a file, its public key beside it.
#[derive(Clone, Debug)]
pub struct SshKey {
    path: PathBuf,
}

impl SshKey {
    /// A new one, `id_<kind>` in a directory that is made for it where it is missing.
    pub fn generate(directory: &Path, kind: KeyKind) -> Self {
        let name = format!("id_{}", kind.name());
        Self::generate_at(&directory.join(name), kind, "")
    }

    /// The same, of no use without a passphrase.
    pub fn generate_encrypted(directory: &Path, kind: KeyKind) -> Self {
        let name = format!("id_{}", kind.name());
        Self::generate_at(&directory.join(name), kind, "open sesame")
    }

    pub(crate) fn generate_at(path: &Path, kind: KeyKind, passphrase: &str) -> Self {
        let key = Self {
            path: path.to_owned(),
        };
        let directory = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(directory).expect("the directory of a key can be made");
        // ssh-keygen asks before it replaces one.
        for old in [key.path.clone(), key.public_path()] {
            let _ = fs::remove_file(old);
        }
        let path = path.to_str().expect("the path is text");
        let options = [
            "-q",
            "-C",
            "test",
            "-t",
            kind.name(),
            "-N",
            passphrase,
            "-f",
            path,
        ];
        run("ssh-keygen", options);
        key
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file with the private key.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn public_path(&self) -> PathBuf {
        self.path.with_added_extension("pub")
    }

    /// The public key: type and content, without the comment.
    pub fn public(&self) -> String {
        let line =
            fs::read_to_string(self.public_path()).expect("a key has its public key beside it");
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        words.join(" ")
    }

    /// `SHA256:` and the digest of the public key.
    pub(crate) fn fingerprint(&self) -> String {
        let path = self.public_path();
        let printed = run(
            "ssh-keygen",
            ["-l", "-f", path.to_str().expect("the path is text")],
        );
        let fingerprint = printed.split_whitespace().nth(1);
        fingerprint
            .expect("length, fingerprint, comment, kind")
            .to_owned()
    }

    /// `known_hosts` in the same directory, where a client looks.
    pub fn known_hosts(&self) -> PathBuf {
        self.path.with_file_name("known_hosts")
    }

    /// Notes in [`SshKey::known_hosts`] that this host has this key.
    pub fn know(&self, host: SocketAddr, public: &str) {
        self.note(&format!("{} {public}", known_hosts_name(host)));
    }

    /// Adds a line to [`SshKey::known_hosts`].
    pub fn note(&self, line: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.known_hosts())
            .expect("known_hosts can be written");
        writeln!(file, "{line}").expect("known_hosts can be written");
    }

    /// Replaces the names in [`SshKey::known_hosts`] by their hashes.
    pub fn hash_known_hosts(&self) {
        let path = self.known_hosts();
        run(
            "ssh-keygen",
            ["-H", "-f", path.to_str().expect("the path is text")],
        );
        fs::remove_file(path.with_added_extension("old")).expect("ssh-keygen keeps a copy");
    }

    /// Forgets all hosts; the file stays, and is empty.
    pub fn forget_hosts(&self) {
        fs::write(self.known_hosts(), "").expect("known_hosts can be written");
    }
}

/// A host as `known_hosts` names it: the port only where it is not the usual one.
pub fn known_hosts_name(host: SocketAddr) -> String {
    match host.port() {
        22 => host.ip().to_string(),
        port => format!("[{}]:{port}", host.ip()),
    }
}

//! What the operator is told when a host key is not to be trusted: which file, which line, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use russh::keys::{HashAlg, PublicKey};

use super::name::Name;
use crate::store::durable::StorageError;

/// How many lines of the file a message names.
const NAMED_LINES: usize = 5;

/// Why a host key is refused.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    #[error("the host's key cannot be checked: {0}")]
    Storage(#[from] StorageError),
    #[error(
        "the host's key cannot be checked: {path} is a link to a file that does not exist; restore that file or remove the link",
        path = path.display()
    )]
    Dangling { path: PathBuf },
    /// No line of the file is about the host; with the lines that make no sense, for one of them may have been.
    #[error(
        "the host {name} is not in {path}{skipped}; {verify}, then add this line: {entry}",
        name = .0.name, path = .0.path.display(), skipped = Skipped(.1), verify = Verify(.0), entry = .0.entry
    )]
    Unlisted(Box<Offer>, Vec<usize>),
    /// The host is in the file with other keys; with their lines.
    #[error(
        "THE HOST KEY OF {name} HAS CHANGED: it is not the one in {path}, {lines}; either the host was set up anew or \
         something else answers in its place; {verify}, then remove what is there with \
         ssh-keygen -R {quoted} -f {file} and add this line: {entry}",
        name = .0.name, path = .0.path.display(), lines = Lines(.1), verify = Verify(.0),
        quoted = Quoted(&.0.name), file = Quoted(&.0.path.to_string_lossy()), entry = .0.entry
    )]
    Changed(Box<Offer>, Vec<usize>),
    /// The very key is marked as one that must not be trusted; with that line.
    #[error(
        "the key that {name} offers ({algorithm} {fingerprint}) is revoked by {path}, line {line}; give the host a new \
         key, or remove that line if the key is safe after all",
        name = .0.name, algorithm = .0.algorithm, fingerprint = .0.fingerprint, path = .0.path.display(), line = .1
    )]
    Revoked(Box<Offer>, usize),
}

/// The key that was offered, and by whom.
#[derive(Debug)]
pub struct Offer {
    path: PathBuf,
    name: String,
    algorithm: String,
    fingerprint: String,
    /// The line that would list it.
    entry: String,
}

impl Offer {
    pub(super) fn new(path: &Path, name: &Name, key: &PublicKey) -> Self {
        let algorithm = key.algorithm().to_string();
        let mut bare = key.clone();
        bare.set_comment("");
        // A key that came over the wire can be written again.
        let text = bare.to_openssh().unwrap_or_else(|_| algorithm.clone());
        Self {
            path: path.to_owned(),
            name: name.to_string(),
            algorithm,
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            entry: format!("{name} {}", text.trim_end()),
        }
    }
}

struct Verify<'a>(&'a Offer);

impl fmt::Display for Verify<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Offer {
            algorithm,
            fingerprint,
            ..
        } = self.0;
        write!(
            formatter,
            "verify that the fingerprint of its {algorithm} key is {fingerprint}"
        )
    }
}

struct Lines<'a>(&'a [usize]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(formatter, "line{plural} ")?;
        for (index, line) in self.0.iter().take(NAMED_LINES).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{line}")?;
        }
        match self.0.len().checked_sub(NAMED_LINES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(formatter, " and {more} more"),
        }
    }
}

struct Skipped<'a>(&'a [usize]);

impl fmt::Display for Skipped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, " (of which {} cannot be read)", Lines(self.0))
    }
}

/// One word for a shell.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return formatter.write_str(self.0);
        }
        write!(formatter, "'{}'", self.0.replace('\'', r"'\''"))
    }
}

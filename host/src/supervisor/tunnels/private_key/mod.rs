//! The private key that an agent host knows us by.
//!
//! Ed25519, ECDSA and RSA keys in the formats of OpenSSH, PKCS#8, PKCS#1 and SEC1. A key that others could read is
//! refused, as ssh refuses it; an encrypted one too, for there is nobody to ask for the passphrase. RSA keys sign with
//! SHA-2 alone. The key never shows in a log or an error.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{
    Algorithm, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key,
};
use secrecy::{ExposeSecret, SecretString};

use crate::store::durable::{self, StorageError};

/// The largest RSA keys are a tenth of this.
const FILE_LIMIT: u64 = 128 << 10;
const OTHERS: u32 = 0o077;
const OPENSSH_HEADER: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const PUTTY_HEADER: &str = "PuTTY-User-Key-File";
/// What stands in encrypted keys of the formats other than OpenSSH's own.
const ENCRYPTED: [&str; 2] = [
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
];

/// A key that can sign.
#[derive(Clone)]
pub struct Identity(Arc<PrivateKey>);

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    #[error(
        "the private key {path} does not exist; restore it, or let mngr create the host's key again",
        path = path.display()
    )]
    Missing { path: PathBuf },
    #[error(transparent)]
    Unreadable(#[from] StorageError),
    #[error(
        "the private key {path} has mode {mode:03o}, so others can use it; run 'chmod 600 {path}'",
        path = path.display()
    )]
    Permissions { path: PathBuf, mode: u32 },
    #[error(
        "the private key {path} is encrypted, and there is nobody to ask for its passphrase; remove the passphrase with \
         'ssh-keygen -p -f {path}' or use a key without one",
        path = path.display()
    )]
    Encrypted { path: PathBuf },
    #[error(
        "{path} does not hold a usable private key ({detail}); give an Ed25519, ECDSA or RSA key as ssh-keygen writes it",
        path = path.display()
    )]
    Unusable { path: PathBuf, detail: String },
}

impl Identity {
    /// Reads the key at `path`. Blocks on the file system.
    pub fn load(path: &Path) -> Result<Self, PrivateKeyError> {
        let Some((content, metadata)) = durable::read(path, FILE_LIMIT)? else {
            return Err(PrivateKeyError::Missing {
                path: path.to_owned(),
            });
        };
        let text = String::from_utf8(content).map(SecretString::from);
        if is_open_to_others(&metadata) {
            return Err(PrivateKeyError::Permissions {
                path: path.to_owned(),
                mode: metadata.permissions().mode() & 0o777,
            });
        }
        let unusable = |detail: String| PrivateKeyError::Unusable {
            path: path.to_owned(),
            detail,
        };
        // The bytes that are no text are not repeated.
        let text = text.map_err(|_| unusable("it is not text".to_owned()))?;
        let text = text.expose_secret();
        let encrypted = || PrivateKeyError::Encrypted {
            path: path.to_owned(),
        };
        if !text.contains(OPENSSH_HEADER) && ENCRYPTED.iter().any(|mark| text.contains(mark)) {
            return Err(encrypted());
        }
        if text.starts_with(PUTTY_HEADER) {
            return Err(unusable("it is in PuTTY's format".to_owned()));
        }
        match decode_secret_key(text, None) {
            Ok(key) if can_sign(&key) => Ok(Self(Arc::new(key))),
            Ok(key) => Err(unusable(format!("its type is {}", key.algorithm()))),
            Err(KeyError::KeyIsEncrypted) => Err(encrypted()),
            Err(error) => Err(unusable(defect(text, &error))),
        }
    }

    /// The key with the hash to sign with. `offered` is what [`best_supported_rsa_hash`] said of the host: a host that
    /// names no hash may still know SHA-2, and one that knows SHA-1 alone is not logged in to.
    ///
    /// [`best_supported_rsa_hash`]: russh::client::Handle::best_supported_rsa_hash
    pub fn for_host(&self, offered: Option<Option<HashAlg>>) -> PrivateKeyWithHashAlg {
        let hash = offered.flatten().unwrap_or(HashAlg::Sha512);
        PrivateKeyWithHashAlg::new(Arc::clone(&self.0), Some(hash))
    }
}

/// In our own words: the decoders' may quote what they could not decode.
fn defect(text: &str, error: &KeyError) -> String {
    match error {
        KeyError::UnknownAlgorithm(identifier) => format!("its algorithm is {identifier}"),
        _ if text.starts_with("ssh-") || text.starts_with("ecdsa-") => {
            "it is a public key".to_owned()
        }
        KeyError::CouldNotReadKey => "it has no header of a known format".to_owned(),
        _ => "its content is damaged or of an unknown kind".to_owned(),
    }
}

/// As ssh decides: the modes of other people's files are their own business.
fn is_open_to_others(metadata: &Metadata) -> bool {
    let own = metadata.uid() == rustix::process::getuid().as_raw();
    own && metadata.permissions().mode() & OTHERS != 0
}

fn can_sign(key: &PrivateKey) -> bool {
    matches!(
        key.algorithm(),
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. }
    )
}

/// Type and fingerprint: neither is secret.
impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.0.fingerprint(HashAlg::Sha256);
        write!(formatter, "Identity({} {fingerprint})", self.0.algorithm())
    }
}

#[cfg(test)]
mod tests;

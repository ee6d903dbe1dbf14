//! The encryption key, and the signing key derived from it.
//!
//! The key file is published complete or not at all, so that concurrent first starts agree on one key. A file that
//! others could read is refused, and so is one whose content is no key: a new key in its place would invalidate every
//! token and every stored credential, so nothing here ever replaces it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

use super::durable::{self, PRIVATE_FILE, StorageError};
use super::random;

/// The variable that wins over the key file.
pub const ENVIRONMENT_NAME: &str = "LATCHKEY_ENCRYPTION_KEY";

const KEY_LENGTH: usize = 32;
const FILE_LIMIT: u64 = 4096;
const SIGNING_LABEL: &[u8] = b"latchkey:gateway:permissions-override:v1";
const OTHERS: u32 = 0o077;

/// Keys are written by several programs: with padding or without, in either alphabet.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The encryption key as it is written in the file or the environment; known to decode to 32 bytes.
#[derive(Debug)]
pub struct EncryptionKey {
    master: SecretBox<[u8; KEY_LENGTH]>,
    text: SecretString,
}

/// Signs and verifies override tokens.
#[derive(Debug)]
pub struct SigningKey(SecretBox<[u8; 32]>);

/// Why there is no usable encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "the encryption key file {path} has mode {mode:03o}, so others can use the key; run 'chmod 600 {path}' and try again",
        path = path.display()
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error("{origin} does not hold an encryption key ({detail}); {remedy}")]
    Broken {
        origin: String,
        detail: String,
        remedy: &'static str,
    },
    #[error("the operating system gave no random bytes for a new encryption key: {0}")]
    Random(std::io::Error),
}

impl EncryptionKey {
    /// The key in a variable's value.
    pub fn from_environment(value: &str) -> Result<Self, KeyError> {
        Self::parse(value).map_err(|detail| KeyError::Broken {
            origin: format!("${ENVIRONMENT_NAME}"),
            detail,
            remedy: "set it to the URL-safe base64 of 32 bytes or unset it",
        })
    }

    /// The key in the file at `path`, which is created with a new key when it is missing. Its directory must exist.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        loop {
            if let Some(key) = Self::load(path)? {
                return Ok(key);
            }
            let bytes = random::bytes::<KEY_LENGTH>().map_err(KeyError::Random)?;
            let text = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
            // False: another process published its key first, and that one counts.
            durable::create_new(path, text.expose_secret().as_bytes(), PRIVATE_FILE)?;
        }
    }

    /// The key in the file at `path`; none when there is no file.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let Some((content, metadata)) = durable::read(path, FILE_LIMIT)? else {
            return Ok(None);
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        let broken = |detail| KeyError::Broken {
            origin: path.display().to_string(),
            detail,
            remedy: "restore it from a backup, or move it away to start with a new key (existing tokens and stored credentials become useless)",
        };
        let text = String::from_utf8(content).map_err(|_| broken("it is not text".to_owned()))?;
        Self::parse(&text).map(Some).map_err(broken)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let standard = text.replace('-', "+").replace('_', "/");
        let bytes = LENIENT
            .decode(standard)
            .map_err(|_| "it is not base64".to_owned())?;
        let length = bytes.len();
        let master = <[u8; KEY_LENGTH]>::try_from(bytes)
            .map_err(|_| format!("it has {length} bytes instead of {KEY_LENGTH}"))?;
        Ok(Self {
            master: SecretBox::new(Box::new(master)),
            text: SecretString::from(text),
        })
    }

    /// The key as text, for a child process that takes it from its environment.
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    pub fn signing_key(&self) -> SigningKey {
        let signature = hmac_sha256(self.master.expose_secret(), SIGNING_LABEL);
        SigningKey(SecretBox::new(Box::new(signature)))
    }
}

impl SigningKey {
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 32] {
        hmac_sha256(self.0.expose_secret(), message)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    // HMAC pads a shorter key to the block with zeros, so the block is the same key.
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The bytes 200 to 231.
    const KEY: &str = "yMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5uc";
    /// `printf %s <label> | openssl dgst -sha256 -mac HMAC -macopt hexkey:<key>`
    const SIGNING: &str = "3934bc798ff64fd7168f4bd92603ba15255542ca923f918dbdcebf58260ba098";

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("encryption_key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn the_signing_key_is_the_one_openssl_computes() {
        for text in [
            KEY.to_owned(),
            format!("{KEY}=\n"),
            KEY.replace('_', "/").replace('-', "+"),
        ] {
            let key = EncryptionKey::from_environment(&text).unwrap();
            assert_eq!(random::encode(key.signing_key().bytes()), SIGNING, "{text}");
        }
    }

    #[test]
    fn concurrent_first_starts_agree_on_one_private_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("encryption_key");
        let keys = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| EncryptionKey::load_or_create(&path).unwrap()))
                .collect();
            let keys = starts.into_iter().map(|start| start.join().unwrap());
            keys.map(|key| key.text().expose_secret().to_owned())
                .collect::<std::collections::HashSet<_>>()
        });
        assert_eq!(keys.len(), 1);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let (_directory, path) = file(KEY, 0o640);
        let message = EncryptionKey::load(&path).unwrap_err().to_string();
        assert!(message.contains("mode 640"), "{message}");
        assert!(
            message.contains(&format!("chmod 600 {}", path.display())),
            "{message}"
        );
    }

    #[test]
    fn broken_content_is_named_and_never_shown_nor_replaced() {
        for content in ["", "c2hvcnQ", "secret but no key!"] {
            let (_directory, path) = file(content, 0o600);
            let error = EncryptionKey::load_or_create(&path).unwrap_err();
            let message = format!("{error} {error:?}");
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            assert!(
                content.is_empty() || !message.contains(content),
                "{message}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let key = EncryptionKey::from_environment(KEY).unwrap();
        let debug = format!("{key:?} {:?}", key.signing_key());
        assert!(!debug.contains("yMnK") && !debug.contains("200"), "{debug}");
    }
}

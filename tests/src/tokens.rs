//! Secrets derived from an encryption key, computed anew here from the contract rather than by the program under test.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What one encryption key gives.
pub struct Keys {
    signing: Vec<u8>,
}

impl Keys {
    /// Of the key file in a latchkey directory.
    ///
    /// # Panics
    /// When there is none, or it holds no key.
    pub fn of(latchkey_directory: &Path) -> Self {
        let path = latchkey_directory.join("encryption_key");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::from_text(&text)
    }

    /// Of a key in URL-safe base64, padded.
    pub fn from_text(text: &str) -> Self {
        let master = BASE64_URL_SAFE
            .decode(text.trim())
            .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text.trim()))
            .expect("the key is URL-safe base64");
        Self {
            signing: hmac(&master, b"latchkey:gateway:permissions-override:v1"),
        }
    }

    /// The token that names a permissions file.
    pub fn override_token(&self, permissions: &Path) -> String {
        let path = permissions.to_str().expect("the path is text");
        self.token(&format!(
            r#"{{"permissionsConfig":{}}}"#,
            serde_json::Value::from(path)
        ))
    }

    /// A well-signed token with any payload.
    pub fn token(&self, payload: &str) -> String {
        self.token_with_header(HEADER, payload)
    }

    /// A well-signed token with any header too.
    pub fn token_with_header(&self, header: &str, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(payload.as_bytes())
        );
        self.sign(&signed)
    }

    /// `signed` and its signature, whatever `signed` is.
    pub fn sign(&self, signed: &str) -> String {
        format!(
            "{signed}.{}",
            encode(&hmac(&self.signing, signed.as_bytes()))
        )
    }

    /// The gateway's password.
    pub fn password(&self) -> String {
        let sentinel = self.override_token(Path::new("/__minds_gateway_password__/sentinel"));
        hex(&Sha256::digest(sentinel.as_bytes()))
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

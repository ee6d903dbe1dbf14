//! Override tokens (HS256 JWTs that name a permissions file) and the gateway password derived from them.
//!
//! Minted by hand, because other programs compare the bytes and no library promises the order of a header's members.
//! Verified in a fixed order of checks, each with the literal reason that a client is told.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::SecretString;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::keys::SigningKey;
use super::random;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const PATH_CLAIM: &str = "permissionsConfig";
const PASSWORD_SENTINEL: &str = "/__minds_gateway_password__/sentinel";
/// Agents in use at once, with room to spare; a token is a few hundred bytes.
const CACHED_TOKENS: usize = 4096;

/// Why a token is not minted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error("the permissions file's path must be absolute and valid UTF-8, got '{0}'")]
    Path(String),
    #[error("the claims must not contain '{PATH_CLAIM}', which the path itself sets")]
    ReservedClaim,
}

/// Why a token is refused; the text is what the client is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    #[error("Permissions override JWT must have three dot-separated segments.")]
    Segments,
    #[error("Permissions override {0} is not valid base64url.")]
    Base64(&'static str),
    #[error("Permissions override header is not valid JSON.")]
    HeaderJson,
    #[error("Permissions override header must declare alg='HS256' and typ='JWT'.")]
    HeaderMembers,
    #[error("Permissions override signature is invalid.")]
    Signature,
    #[error("Permissions override payload is not valid JSON.")]
    PayloadJson,
    #[error("Permissions override payload must contain a string '{PATH_CLAIM}' field.")]
    PathMissing,
    #[error("Permissions override '{PATH_CLAIM}' must be an absolute path: {0}")]
    PathRelative(String),
    #[error("Permissions override has expired.")]
    Expired,
    #[error("Permissions override is not yet valid.")]
    NotYetValid,
}

/// A token for the permissions file at `path`; `claims` stand before the path in its payload.
pub fn mint_override(
    key: &SigningKey,
    path: &Path,
    claims: Map<String, Value>,
) -> Result<String, MintError> {
    let text = path
        .to_str()
        .filter(|_| path.is_absolute())
        .ok_or_else(|| MintError::Path(path.display().to_string()))?;
    if claims.contains_key(PATH_CLAIM) {
        return Err(MintError::ReservedClaim);
    }
    Ok(mint(key, text, claims))
}

/// The password that every client of the gateway sends. Derived on demand and never stored.
pub fn gateway_password(key: &SigningKey) -> SecretString {
    let token = mint(key, PASSWORD_SENTINEL, Map::new());
    SecretString::from(random::encode(&Sha256::digest(token)))
}

fn mint(key: &SigningKey, path: &str, mut payload: Map<String, Value>) -> String {
    payload.insert(PATH_CLAIM.to_owned(), Value::from(path));
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(HEADER);
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(Value::Object(payload).to_string(), &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Verifies tokens. A token that was found good once is remembered by its bytes; its dates are looked at every time.
pub struct OverrideVerifier {
    key: DecodingKey,
    verified: quick_cache::sync::Cache<Box<str>, Verified>,
}

/// What a good token says.
#[derive(Clone)]
struct Verified {
    path: Arc<Path>,
    not_before: Option<Date>,
    expires: Option<Date>,
}

/// A date claim; no date is one that no moment satisfies.
#[derive(Clone, Copy)]
enum Date {
    Seconds(f64),
    Unreadable,
}

impl OverrideVerifier {
    pub fn new(key: &SigningKey) -> Self {
        Self {
            key: DecodingKey::from_secret(key.bytes()),
            verified: quick_cache::sync::Cache::new(CACHED_TOKENS),
        }
    }

    /// The path of the permissions file that the token names, absolute; whether there is such a file is not looked at.
    pub fn verify(&self, token: &str) -> Result<Arc<Path>, OverrideError> {
        self.verify_at(token, SystemTime::now())
    }

    fn verify_at(&self, token: &str, now: SystemTime) -> Result<Arc<Path>, OverrideError> {
        if let Some(verified) = self.verified.get(token) {
            return verified.at(now);
        }
        let verified = self.check(token)?;
        self.verified.insert(token.into(), verified.clone());
        verified.at(now)
    }

    fn check(&self, token: &str) -> Result<Verified, OverrideError> {
        let (message, signature) = token.rsplit_once('.').ok_or(OverrideError::Segments)?;
        let (header, payload) = message.split_once('.').ok_or(OverrideError::Segments)?;
        if payload.contains('.') {
            return Err(OverrideError::Segments);
        }

        let header: Value = serde_json::from_slice(&decode(header, "header")?)
            .map_err(|_| OverrideError::HeaderJson)?;
        let declares =
            |name: &str, value: &str| header.get(name).and_then(Value::as_str) == Some(value);
        if !declares("alg", "HS256") || !declares("typ", "JWT") {
            return Err(OverrideError::HeaderMembers);
        }

        decode(signature, "signature")?;
        let genuine = jsonwebtoken::crypto::verify(
            signature,
            message.as_bytes(),
            &self.key,
            Algorithm::HS256,
        );
        if !genuine.unwrap_or(false) {
            return Err(OverrideError::Signature);
        }

        let payload: Value = serde_json::from_slice(&decode(payload, "payload")?)
            .map_err(|_| OverrideError::PayloadJson)?;
        let path = payload
            .get(PATH_CLAIM)
            .and_then(Value::as_str)
            .ok_or(OverrideError::PathMissing)?;
        if !path.starts_with('/') {
            return Err(OverrideError::PathRelative(path.to_owned()));
        }
        Ok(Verified {
            path: Arc::from(Path::new(path)),
            not_before: payload.get("nbf").map(Date::from_claim),
            expires: payload.get("exp").map(Date::from_claim),
        })
    }
}

impl std::fmt::Debug for OverrideVerifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OverrideVerifier")
            .finish_non_exhaustive()
    }
}

impl Verified {
    fn at(&self, now: SystemTime) -> Result<Arc<Path>, OverrideError> {
        if self.not_before.is_none() && self.expires.is_none() {
            return Ok(Arc::clone(&self.path));
        }
        // A clock before 1970 is none to trust a date by.
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| OverrideError::NotYetValid)?
            .as_secs_f64();
        match self.expires {
            None => {}
            Some(Date::Seconds(expires)) if now < expires => {}
            Some(_) => return Err(OverrideError::Expired),
        }
        match self.not_before {
            None => {}
            Some(Date::Seconds(not_before)) if now >= not_before => {}
            Some(_) => return Err(OverrideError::NotYetValid),
        }
        Ok(Arc::clone(&self.path))
    }
}

impl Date {
    fn from_claim(claim: &Value) -> Self {
        claim.as_f64().map_or(Self::Unreadable, Self::Seconds)
    }
}

/// Canonical base64url only: no padding, no other alphabet, no stray bits.
fn decode(segment: &str, name: &'static str) -> Result<Vec<u8>, OverrideError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| OverrideError::Base64(name))
}

#[cfg(test)]
mod tests;

//! Who may talk to the gateway, and which permissions file applies (contract section 4, steps 1 and 4).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::headers;
use crate::store::keys::SigningKey;
use crate::store::stamp::Stamp;
use crate::store::tokens::{OverrideError, OverrideVerifier};

/// Why a caller is refused. The display is the client's error message.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthenticationError {
    #[error("Unauthorized: invalid or missing Latchkey gateway password.")]
    Password,
    #[error("Latchkey: {0}")]
    Override(#[from] OverrideError),
    #[error("Latchkey: Permissions override header must not be repeated.")]
    Repeated,
    #[error("Permissions override references missing or invalid file: {}", .0.display())]
    MissingFile(PathBuf),
}

/// The permissions file of one request.
pub(super) struct AppliedPermissions {
    pub(super) path: Arc<Path>,
    /// The file as it stands; only the default one may be missing.
    pub(super) stamp: Stamp,
}

/// The gateway's secrets, and the default for callers without a token.
pub(super) struct Authentication {
    password: Option<SecretString>,
    verifier: OverrideVerifier,
    default_permissions: Arc<Path>,
}

impl Authentication {
    pub(super) fn new(
        password: Option<SecretString>,
        signing_key: SigningKey,
        default_permissions: &Path,
    ) -> Self {
        Self {
            password,
            verifier: OverrideVerifier::new(&signing_key),
            default_permissions: default_permissions.into(),
        }
    }

    /// Lets the caller in if the password is right, or if none is asked for. A repeated header is never right.
    pub(super) fn check_password(&self, headers: &HeaderMap) -> Result<(), AuthenticationError> {
        let Some(password) = &self.password else {
            return Ok(());
        };
        let mut given = headers.get_all(headers::PASSWORD).iter();
        match (given.next(), given.next()) {
            (Some(given), None)
                if bool::from(given.as_bytes().ct_eq(password.expose_secret().as_bytes())) =>
            {
                Ok(())
            }
            _ => Err(AuthenticationError::Password),
        }
    }

    /// The file that the override token names, or the default one. Costs one `stat`, and a token's signature is verified
    /// once, not at every request.
    pub(super) fn permissions(
        &self,
        headers: &HeaderMap,
    ) -> Result<AppliedPermissions, AuthenticationError> {
        let mut tokens = headers.get_all(headers::OVERRIDE).iter();
        let Some(token) = tokens.next() else {
            let path = Arc::clone(&self.default_permissions);
            let stamp = Stamp::of(&path).unwrap_or_else(|_| Stamp::never());
            return Ok(AppliedPermissions { path, stamp });
        };
        if tokens.next().is_some() {
            return Err(AuthenticationError::Repeated);
        }
        // What is no text is no token either: it fails as one.
        let path = self
            .verifier
            .verify(&String::from_utf8_lossy(token.as_bytes()))?;
        match Stamp::of(&path) {
            Ok(stamp) if stamp.is_file() => Ok(AppliedPermissions { path, stamp }),
            _ => Err(AuthenticationError::MissingFile(path.to_path_buf())),
        }
    }
}

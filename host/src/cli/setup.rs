//! What most subcommands begin with: the latchkey directory, ready for use, and its encryption key.

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;
use super::settings::Settings;
use crate::store::keys::{self, EncryptionKey, KeyError};
use crate::store::paths::LatchkeyDirectory;

pub(super) struct Setup {
    pub directory: LatchkeyDirectory,
    pub key: EncryptionKey,
}

impl Setup {
    /// Creates what is missing, the key included.
    pub(super) fn open(options: &Options, environment: &Environment) -> Result<Self, Failure> {
        let settings = Settings::resolve(options, environment)?;
        let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
        directory.initialise().map_err(Failure::failed)?;
        let key = encryption_key(&directory, environment)?;
        Ok(Self { directory, key })
    }
}

/// The key of the environment if there is one: then the file is neither read nor created.
pub(super) fn encryption_key(
    directory: &LatchkeyDirectory,
    environment: &Environment,
) -> Result<EncryptionKey, Failure> {
    let key: Result<EncryptionKey, KeyError> = match environment.text(keys::ENVIRONMENT_NAME)? {
        Some(value) => EncryptionKey::from_environment(value),
        None => EncryptionKey::load_or_create(&directory.encryption_key()),
    };
    key.map_err(Failure::failed)
}

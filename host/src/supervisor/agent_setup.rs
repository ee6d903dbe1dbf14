//! Wiring an agent to the gateway: what it is given when it is made, and what happens once its host is known.
//!
//! `create-agent-env`, `link-permissions` and `register-agent` are these functions; embedders call them in this order.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Map;

use crate::store::baseline::{self, RegisterError};
use crate::store::durable::StorageError;
use crate::store::handles::{self, LinkError};
use crate::store::ids::{AgentId, HostId};
use crate::store::keys::SigningKey;
use crate::store::paths::LatchkeyDirectory;
use crate::store::permissions_file::{self, EditError};
use crate::store::tokens::{MintError, gateway_password, mint_override};

/// Where a tunnelled agent finds the gateway, whatever port it has on this machine.
const TUNNELLED: &str = "http://127.0.0.1:1989";
/// Where a gateway on the agent's own machine would be.
const SECONDARY: &str = "http://127.0.0.1:1990";

/// How an agent reaches the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Through a reverse tunnel, which a supervisor keeps.
    Tunnel,
    /// At this URL: the agent runs on this machine.
    Direct(String),
}

/// What a new agent needs.
#[derive(Debug)]
pub struct AgentSetup {
    /// For the environment of the agent's host, in the order in which they are printed.
    pub environment: Vec<(&'static str, SecretString)>,
    /// The permissions handle; `finalize_host_permissions` takes it.
    pub opaque_permissions_path: PathBuf,
}

/// Why an agent cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Token(#[from] MintError),
}

/// Allocates a permissions handle with the agent baseline, and puts together the environment that uses it. Blocks.
pub fn prepare_agent(
    directory: &LatchkeyDirectory,
    key: &SigningKey,
    reach: &Reach,
) -> Result<AgentSetup, PrepareError> {
    let handle = handles::create(directory)?;
    let token = mint_override(key, &handle, Map::new())?;
    let mut environment = vec![(
        "LATCHKEY_GATEWAY",
        match reach {
            Reach::Tunnel => TUNNELLED.into(),
            Reach::Direct(url) => url.as_str().into(),
        },
    )];
    if *reach == Reach::Tunnel {
        environment.push(("LATCHKEY_GATEWAY_SECONDARY", SECONDARY.into()));
    }
    let password = gateway_password(key);
    environment.extend([
        ("LATCHKEY_GATEWAY_PASSWORD", password),
        ("LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE", token.into()),
        ("LATCHKEY_DISABLE_COUNTING", "1".into()),
    ]);
    Ok(AgentSetup {
        environment,
        opaque_permissions_path: handle,
    })
}

/// Makes a handle a link to its host's permissions file, whose place its content takes when there is none yet. Idempotent.
/// Blocks.
pub fn finalize_host_permissions(
    directory: &LatchkeyDirectory,
    handle: &Path,
    host: &HostId,
) -> Result<(), LinkError> {
    handles::link(directory, handle, host)
}

/// Lets an agent through to its own part of the Minds API. Idempotent. Blocks.
pub fn register_agent(
    directory: &LatchkeyDirectory,
    host: &HostId,
    agent: &AgentId,
) -> Result<(), EditError<RegisterError>> {
    permissions_file::edit(&directory.host_permissions(host), None, |config| {
        baseline::register(config, agent)
    })
}

//! Which permissions file a command is about.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::link_permissions::parse_host;
use super::super::options::Options;
use super::super::register_agent::parse_agent;
use super::super::settings::Settings;
use crate::store::hosts;
use crate::store::paths::LatchkeyDirectory;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Subject {
    /// A permissions file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// The host whose permissions file it is
    #[arg(long, value_name = "ID")]
    host_id: Option<String>,

    /// The agent whose host's permissions file it is
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,

    /// A file with what create-agent-env printed for the agent
    #[arg(long, value_name = "FILE")]
    agent_env: Option<PathBuf>,
}

/// What somebody named is not there.
#[derive(Debug, thiserror::Error)]
#[error("there is no permissions file at {}: correct what names it; link-permissions, register-agent and permissions grant make a host's", .0.display())]
pub(super) struct NoFile(pub PathBuf);

impl Subject {
    /// Whether one of the options is there; for commands that can do without.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some()
            || self.host_id.is_some()
            || self.agent_id.is_some()
            || self.agent_env.is_some()
    }

    /// Whether it is the permissions file of a host that was named.
    pub(super) fn is_host(&self) -> bool {
        self.host_id.is_some() || self.agent_id.is_some()
    }

    /// The permissions file, absolute. It need not exist.
    pub(super) fn path(
        &self,
        options: &Options,
        environment: &Environment,
    ) -> Result<PathBuf, Failure> {
        if let Some(host) = &self.host_id {
            let host = parse_host(host)?;
            let settings = Settings::resolve(options, environment)?;
            let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
            return Ok(directory.host_permissions(&host));
        }
        if let Some(agent) = &self.agent_id {
            let agent = parse_agent(agent)?;
            let settings = Settings::resolve(options, environment)?;
            let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
            let host = hosts::of_agent(&directory, &agent).map_err(Failure::failed)?;
            return Ok(directory.host_permissions(&host));
        }
        let named = |path: &Path| environment.expand(path);
        let path = match (&self.file, &self.agent_env) {
            (Some(file), _) => named(file)?,
            (None, Some(file)) => handle(&named(file)?)?,
            // The parser has seen to it that one of them is there.
            (None, None) => PathBuf::new(),
        };
        std::path::absolute(&path).map_err(|error| {
            Failure::usage(format_args!("'{}' names no file: {error}", path.display()))
        })
    }
}

/// The agent's handle, from the line that `create-agent-env` printed.
fn handle(file: &Path) -> Result<PathBuf, Failure> {
    let failed = |problem: String| {
        Failure::failed(format_args!(
            "{} is not what create-agent-env printed: {problem}; name a file that holds its output",
            file.display()
        ))
    };
    let content = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let printed: Value =
        serde_json::from_slice(&content).map_err(|error| failed(error.to_string()))?;
    match printed.get("opaque_permissions_path") {
        Some(Value::String(path)) => Ok(PathBuf::from(path)),
        _ => Err(failed("it has no opaque_permissions_path".to_owned())),
    }
}

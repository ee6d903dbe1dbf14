//! What a component is and would ask for, before anybody lets it do anything.
//!
//! Works on any component. It is compiled within the limits of every other, an extension is asked for its manifest in an
//! instance that is granted nothing and never started, and nothing of it is kept but compiled code.

mod interfaces;
mod policy;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

pub use self::interfaces::Interface;
use super::capabilities::{Capabilities, ServicePaths, Services};
use super::component::{self, ComponentError, ComponentFile};
use super::engine::Runtime;
use super::policy::Grants;
use super::report::{Asked, Origin};
use super::worlds::Guest;
use super::{CompilerProgram, LoadError};
use crate::permissions::{BuiltinSchemas, Engine};
use crate::store::paths::LatchkeyDirectory;

/// What the instance that describes itself is called in the log; no extension's name, so that no log file becomes its.
const NOBODY: &str = "(inspected)";

/// A component, from outside.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    pub imports: Vec<Interface>,
    pub exports: Vec<Interface>,
    /// What it says of itself, if it is an extension that this gateway can host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<Described>,
    /// Why this gateway cannot host it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

/// An extension that nobody has started.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    /// Its file's name must be this with `.wasm`.
    pub name: String,
    pub version: String,
    /// As `mngr:gateway@0.1.0`.
    pub world: String,
    pub asked: Asked,
    /// Of its file's name with `.toml`, to grant exactly what it asks for.
    pub policy: String,
}

/// Why a file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Gateway(#[from] LoadError),
}

/// Looks into the component at `path`. Its code is taken from and left in the directory's cache, if the directory exists.
///
/// # Errors
/// When the file cannot be read, or is no component that could be compiled within the limits.
pub async fn inspect(
    path: &Path,
    directory: &LatchkeyDirectory,
    compiler: Option<CompilerProgram>,
) -> Result<Inspection, InspectError> {
    let cache = directory.compile_cache_dir();
    let cache = directory.root().is_dir().then_some(cache);
    let runtime = Runtime::new(cache.as_deref(), compiler).map_err(LoadError::from)?;
    let runtime = Arc::new(runtime);
    let file = {
        let path = path.to_owned();
        component::off_the_path(move || ComponentFile::read(&path)).await?
    };
    let name = path.display().to_string();
    let component = component::compile(&runtime, &name, &file, Origin::Installed).await?;
    let (imports, exports) = interfaces::of(&runtime.engine, &component);
    let described = match component::link(&runtime, &component) {
        Ok(guest) => describe(&guest, directory).await?,
        Err(error) => Err(error),
    };
    let (extension, obstacle) = match described {
        Ok(described) => (Some(described), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Inspection {
        path: path.to_owned(),
        size: u64::try_from(file.bytes.len()).unwrap_or(u64::MAX),
        sha256: file.sha256,
        imports,
        exports,
        extension,
        obstacle,
    })
}

async fn describe(
    guest: &Guest,
    directory: &LatchkeyDirectory,
) -> Result<Result<Described, ComponentError>, LoadError> {
    let paths = ServicePaths {
        latchkey_directory: directory.root().to_owned(),
        permissions_root: None,
        catalog: directory
            .extensions_dir()
            .join(super::bundled::CATALOG_FILE),
    };
    let services = Services::new(paths, Arc::new(Engine::new(BuiltinSchemas::none())))?;
    let capabilities = Capabilities::new(NOBODY, Grants::default(), Arc::new(services));
    let manifest = component::describe(guest, capabilities).await;
    Ok(manifest.map(|manifest| Described {
        world: guest.world().to_string(),
        asked: Asked::of(&manifest),
        policy: policy::granting(&manifest),
        name: manifest.name,
        version: manifest.version,
    }))
}

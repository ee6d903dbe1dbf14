//! From a `.wasm` file to something that can be instantiated: validated, compiled, and asked what it is.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError};

use super::capabilities::{Capabilities, Services};
use super::engine::Runtime;
use super::policy::Grants;
use super::routes::{Pattern, RouteError};
use super::state::InstanceState;
use super::worlds::{Guest, Manifest, World, WorldError};
use crate::store::durable::{self, StorageError};

/// Far above any component, in bytes; keeps a mistake from filling the memory.
const LARGEST: u64 = 256 * 1024 * 1024;

/// What standard libraries import by habit, by the beginning of its name. It is not provided: calling into it traps.
const UNPROVIDED: [&str; 5] = [
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/terminal-",
    "wasi:filesystem/",
    "wasi:sockets/",
];

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error(transparent)]
    Unreadable(#[from] StorageError),
    #[error("it is no WebAssembly component that this gateway can compile: {0}")]
    Invalid(String),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("its imports cannot be satisfied: {0}")]
    Imports(String),
    #[error("its manifest cannot be had: {0}")]
    Describe(String),
    #[error(
        "its manifest names it '{manifest}', and its file is '{file}.wasm': they must be the same"
    )]
    Name { manifest: String, file: String },
    #[error("its manifest is wrong: {0}")]
    Route(#[from] RouteError),
}

/// A compiled component and what it says of itself.
pub(super) struct Loaded {
    pub(super) name: String,
    pub(super) manifest: Manifest,
    /// Lower-case hex SHA-256 of the file.
    pub(super) sha256: String,
    pub(super) component: Guest,
}

/// Lower-case hex SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Loaded {
    /// Compiles the component at `path` and asks for its manifest, in an instance that is granted nothing.
    pub(super) async fn load(
        runtime: &Arc<Runtime>,
        services: &Arc<Services>,
        path: &Path,
    ) -> Result<Self, ComponentError> {
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let (runtime, path) = (Arc::clone(runtime), path.to_owned());
        let compiled = tokio::task::spawn_blocking(move || compile(&runtime, &path)).await;
        let (component, sha256) =
            compiled.map_err(|_| ComponentError::Invalid("the compiler gave up".to_owned()))??;
        let capabilities = Capabilities::new(&name, Grants::default(), Arc::clone(services));
        let manifest = describe(&component, capabilities)
            .await
            .map_err(|error| ComponentError::Describe(error.to_string()))?;
        if manifest.name != name {
            return Err(ComponentError::Name {
                manifest: manifest.name,
                file: name,
            });
        }
        for route in &manifest.routes {
            Pattern::parse(&route.path)?;
        }
        Ok(Self {
            name,
            manifest,
            sha256,
            component,
        })
    }

    /// The world that it was built for, as reports name it.
    pub(super) fn world(&self) -> String {
        self.component.world().to_string()
    }
}

fn compile(runtime: &Runtime, path: &Path) -> Result<(Guest, String), ComponentError> {
    let (bytes, _) = durable::read(path, LARGEST)?.ok_or_else(|| {
        // It was there a moment ago.
        StorageError::new("read", path, std::io::ErrorKind::NotFound.into())
    })?;
    let component = Component::from_binary(&runtime.engine, &bytes)
        .map_err(|error| ComponentError::Invalid(one_line(&error.root_cause().to_string())))?;
    let world = world(&runtime.engine, &component)?;
    let mut linker = runtime.linker.clone();
    trap_unprovided(&runtime.engine, &component, &mut linker)?;
    let pre = linker
        .instantiate_pre(&component)
        .and_then(|pre| Guest::new(world, pre))
        .map_err(|error| ComponentError::Imports(format!("{error:#}")))?;
    Ok((pre, sha256(&bytes)))
}

/// The compiler shows bytes in a column, and the log has one line for one event.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The world whose exports the component has.
fn world(engine: &wasmtime::Engine, component: &Component) -> Result<World, WorldError> {
    let exports = component.component_type();
    World::of_exports(exports.exports(engine).map(|(name, _)| name))
}

/// Lets a component load whose standard library imports what nobody gets; a call there traps.
fn trap_unprovided(
    engine: &wasmtime::Engine,
    component: &Component,
    linker: &mut wasmtime::component::Linker<InstanceState>,
) -> Result<(), ComponentError> {
    let imports = |error: wasmtime::Error| ComponentError::Imports(format!("{error:#}"));
    for (import, item) in component.component_type().imports(engine) {
        if !UNPROVIDED.iter().any(|start| import.starts_with(start)) {
            continue;
        }
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        let mut instance = linker.instance(import).map_err(imports)?;
        for (name, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let message = format!("{import} {name} is not provided to extensions");
                    instance
                        .func_new(name, move |_, _, _, _| {
                            Err(wasmtime::format_err!("{message}"))
                        })
                        .map_err(imports)?;
                }
                ComponentItem::Resource(_) => {
                    instance
                        .resource(name, resource_type(name), |_, _| Ok(()))
                        .map_err(imports)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The type behind a resource of an interface that is not provided. The four of `wasi:io` are only passed on there, and must
/// be the ones that `wasi:io` itself provides; all others nobody ever has.
fn resource_type(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<()>(),
    }
}

async fn describe(component: &Guest, capabilities: Capabilities) -> wasmtime::Result<Manifest> {
    let (mut store, turn) =
        InstanceState::store(component.engine(), capabilities, CancellationToken::new());
    let instance = component.instantiate(&mut store).await?;
    turn.restart();
    store
        .run_concurrent(async |accessor| instance.describe(accessor).await)
        .await?
}

//! From a `.wasm` file to something that can be instantiated: validated, compiled, and asked what it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ResourceType, Val};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError};

use super::bundled;
use super::capabilities::{Capabilities, Services};
use super::compile::CompileError;
use super::engine::Runtime;
use super::manifest::{self, ManifestError};
use super::output::printable;
use super::policy::Grants;
use super::report::Origin;
use super::state::InstanceState;
use super::worlds::{Guest, Manifest, World, WorldError};
use crate::store::durable::{self, StorageError};

/// Far above any extension, in bytes: what brings an interpreter of its own has ten to twenty million.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// What every WebAssembly file begins with, and what follows in one that is no component.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];

/// What a manifest holds at most while it is taken over, in bytes; what it may say is far less.
const LARGEST_MANIFEST: usize = 1024 * 1024;

/// For starting an instance and asking for its manifest: a spinning guest is ended much earlier, a waiting one by this.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(5);

/// Of a text from the compiler or the guest, in bytes.
const LONGEST_REASON: usize = 500;

/// What standard libraries import by habit, by the beginning of its name. It is not provided: calling into it traps, but for
/// what a runtime asks at its start ([`nothing`]).
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
    #[error("it is larger than {} MiB, the most that a component may be", LARGEST / 1024 / 1024)]
    TooLarge,
    #[error("it is no WebAssembly component: it does not begin as one does")]
    NotWebAssembly,
    #[error(
        "it is no WebAssembly component but a core module: build it for the target wasm32-wasip2, or make a component of it with `wasm-tools component new`"
    )]
    CoreModule,
    #[error(transparent)]
    Compile(#[from] CompileError),
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
    Manifest(#[from] ManifestError),
}

/// A compiled component and what it says of itself.
pub(super) struct Loaded {
    pub(super) name: String,
    pub(super) manifest: Manifest,
    /// Lower-case hex SHA-256 of the file.
    pub(super) sha256: String,
    pub(super) component: Guest,
}

/// A component as it stands in a file.
pub(super) struct ComponentFile {
    pub(super) bytes: Arc<[u8]>,
    /// Lower-case hex SHA-256 of them.
    pub(super) sha256: String,
}

/// Lower-case hex SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Two lower-case digits a byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ComponentFile {
    /// Reads the file whole, up to a limit. Blocking.
    pub(super) fn read(path: &Path) -> Result<Self, ComponentError> {
        let (bytes, _) = match durable::read(path, LARGEST) {
            Ok(Some(read)) => read,
            // It was there a moment ago.
            Ok(None) => {
                let missing = std::io::ErrorKind::NotFound.into();
                return Err(StorageError::new("read", path, missing).into());
            }
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(ComponentError::TooLarge);
            }
            Err(error) => return Err(error.into()),
        };
        match bytes.strip_prefix(MAGIC) {
            None => return Err(ComponentError::NotWebAssembly),
            Some(rest) if rest.starts_with(&CORE_MODULE) => return Err(ComponentError::CoreModule),
            Some(_) => {}
        }
        Ok(Self {
            sha256: sha256(&bytes),
            bytes: bytes.into(),
        })
    }
}

impl Loaded {
    /// Compiles the component at `path` and asks for its manifest, in an instance that is granted nothing. Whatever the
    /// component is, that takes bounded time and memory; dropping the future ends it.
    pub(super) async fn load(
        runtime: &Arc<Runtime>,
        services: &Arc<Services>,
        path: &Path,
    ) -> Result<Self, ComponentError> {
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let path = path.to_owned();
        let file = off_the_path(move || ComponentFile::read(&path)).await?;
        let origin = if bundled::is_bundled(&name, &file.sha256) {
            Origin::Bundled
        } else {
            Origin::Installed
        };
        let component = compile(runtime, &name, &file, origin).await?;
        let guest = link(runtime, &component)?;
        let capabilities = Capabilities::new(&name, Grants::default(), Arc::clone(services));
        let manifest = describe(&guest, capabilities).await?;
        if manifest.name != name {
            return Err(ComponentError::Name {
                manifest: manifest.name,
                file: name,
            });
        }
        Ok(Self {
            name,
            manifest,
            sha256: file.sha256,
            component: guest,
        })
    }
}

/// The component's code, from the cache where it is there.
pub(super) async fn compile(
    runtime: &Arc<Runtime>,
    name: &str,
    file: &ComponentFile,
    origin: Origin,
) -> Result<Component, ComponentError> {
    let compiler = &runtime.compiler;
    compiler
        .prepare(name, &file.bytes, &file.sha256, origin)
        .await?;
    let (runtime, bytes) = (Arc::clone(runtime), Arc::clone(&file.bytes));
    off_the_path(move || {
        Component::from_binary(&runtime.engine, &bytes).map_err(|error| {
            CompileError::Invalid(one_line(&error.root_cause().to_string())).into()
        })
    })
    .await
}

/// The component with its imports satisfied, if it is an extension and they can be.
pub(super) fn link(runtime: &Runtime, component: &Component) -> Result<Guest, ComponentError> {
    let world = world(&runtime.engine, component)?;
    let mut linker = runtime.linker.clone();
    trap_unprovided(&runtime.engine, component, &mut linker)?;
    linker
        .instantiate_pre(component)
        .and_then(|pre| Guest::new(world, pre))
        .map_err(imports)
}

/// Runs what waits for the disk, or computes for long, where nothing else waits for it.
pub(super) async fn off_the_path<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ComponentError> + Send + 'static,
) -> Result<T, ComponentError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The compiler shows bytes in a column, a component says what it likes, and the log has one line of some length for an event.
pub(super) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&line, LONGEST_REASON)
}

fn imports(error: wasmtime::Error) -> ComponentError {
    ComponentError::Imports(one_line(&format!("{error:#}")))
}

/// The world whose exports the component has.
fn world(engine: &wasmtime::Engine, component: &Component) -> Result<World, WorldError> {
    let exports = component.component_type();
    World::of_exports(exports.exports(engine).map(|(name, _)| name))
}

/// Lets a component load whose standard library imports what nobody gets.
fn trap_unprovided(
    engine: &wasmtime::Engine,
    component: &Component,
    linker: &mut wasmtime::component::Linker<InstanceState>,
) -> Result<(), ComponentError> {
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
                    let nothing = nothing(name);
                    instance
                        .func_new(name, move |_, _, _, results| match (&nothing, results) {
                            (Some(nothing), [result]) => {
                                result.clone_from(nothing);
                                Ok(())
                            }
                            _ => Err(wasmtime::format_err!("{message}")),
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

/// What a runtime asks for as it starts, before any code of the author's: the answer is that there is none.
fn nothing(function: &str) -> Option<Val> {
    match function {
        "get-environment" | "get-arguments" => Some(Val::List(Vec::new())),
        "initial-cwd" | "get-initial-cwd" => Some(Val::Option(None)),
        _ => None,
    }
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

/// The manifest, which nobody has looked at so far, checked.
pub(super) async fn describe(
    component: &Guest,
    capabilities: Capabilities,
) -> Result<Manifest, ComponentError> {
    let unhad = |reason: &str| ComponentError::Describe(one_line(reason));
    let (mut store, turn) =
        InstanceState::store(component.engine(), capabilities, CancellationToken::new());
    // Many entries may be one and the same memory of the guest, and are as many copies here.
    store.set_hostcall_fuel(LARGEST_MANIFEST);
    let describing = async {
        let instance = component.instantiate(&mut store).await?;
        turn.restart();
        store
            .run_concurrent(async |accessor| instance.describe(accessor).await)
            .await?
    };
    let manifest = tokio::time::timeout(DESCRIBE_DEADLINE, describing)
        .await
        .map_err(|_| unhad(&format!("it took longer than {DESCRIBE_DEADLINE:?}")))?
        .map_err(|error| unhad(&error.root_cause().to_string()))?;
    manifest::check(&manifest)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<ComponentFile, ComponentError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        std::fs::write(&path, content).unwrap();
        ComponentFile::read(&path)
    }

    #[test]
    fn a_file_is_told_apart_by_its_beginning() {
        let component = read(b"\0asm\x0d\0\x01\0").unwrap();
        assert_eq!(component.bytes.len(), 8);
        assert!(component.sha256.starts_with("24eaf343"));
        for (content, words) in [
            (&b""[..], "does not begin"),
            (b"(component)", "does not begin"),
            (b"\0asm\x01\0\0\0", "core module"),
        ] {
            let Err(error) = read(content) else {
                panic!("{content:?} is read");
            };
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_larger_than_any_component_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        let Err(error) = ComponentFile::read(&path) else {
            panic!("it is read");
        };
        assert!(error.to_string().contains("64 MiB"), "{error}");
    }

    #[test]
    fn a_reason_is_one_line_of_some_length_that_no_terminal_obeys() {
        let reason = one_line(&format!("no\n\tgood\u{1b}[2J {}", "x".repeat(10_000)));
        assert!(reason.starts_with("no good x"), "{reason}");
        assert!(reason.len() < 2 * LONGEST_REASON, "{}", reason.len());
        assert!(!reason.contains(char::is_control), "{reason:?}");
    }
}

//! The host of extension components: loading, routing, instances, and the capabilities that they may use.
//!
//! An extension runs as several long-lived instances, each in a store of its own. What it can do is what it imports, asks for
//! in its manifest and is granted. A component that fails to load is left out and named in the log; the others serve.
//!
//! Which extensions serve follows what stands in the extensions directory, while the gateway runs (`watch`, `reload`): a
//! component that is put there is loaded beside what serves, takes over in one step once it is ready, and what it replaces
//! answers what it has begun.

mod answer_head;
mod bundled;
mod capabilities;
mod compile;
mod component;
mod directory;
mod engine;
mod exchange;
mod extension;
mod generation;
mod inspect;
pub mod installed;
mod instance;
mod keeping;
mod manifest;
mod outbound;
pub mod output;
mod policy;
mod reload;
pub mod report;
mod resources;
mod routes;
mod state;
mod threads;
mod trailers;
mod v0_1;
mod v0_2;
mod watch;
mod workers;
mod worlds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::capabilities::{ServicePaths, Services};
pub use self::compile::{CompileError, CompileRequest, CompilerProgram, compile};
pub use self::component::ComponentError;
use self::directory::Directory;
use self::engine::Runtime;
pub use self::exchange::{Answer, ExtensionRequest, LEAVING_GRACE, ResponseBody};
use self::extension::{Extension, Loader};
use self::generation::Generation;
pub use self::inspect::{Described, InspectError, Inspection, Interface, inspect};
pub use self::outbound::Limits as UpstreamLimits;
use self::reload::Known;
use self::report::ExtensionReport;
pub use self::threads::{ServingHandles, ServingThreads};
pub use self::trailers::is_permitted_trailer;
use crate::permissions::Engine;
use crate::permissions::catalog::Catalog;
use crate::store::boundary::RelativeBoundary;
use crate::store::durable::StorageError;

/// Where extensions are, and what they work on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The root of all state; extensions stand in `extensions/` below it, pending requests in `permission_requests/`.
    pub latchkey_directory: PathBuf,
    /// What `LATCHKEY_EXTENSION_PERMISSIONS_ROOT` says.
    pub permissions_root: Option<PathBuf>,
    /// Where compiled components are cached.
    pub compile_cache: PathBuf,
    /// What compiles them, apart from this process; without it they are compiled here.
    pub compiler: Option<CompilerProgram>,
    /// How long the Minds API may take.
    pub minds_api_limits: UpstreamLimits,
    /// Where requests are served.
    pub threads: ServingHandles,
    /// What clients may ask for.
    pub catalog: Catalog,
}

/// Why no extension can be served at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the extensions cannot be installed: {0}")]
    Install(#[from] StorageError),
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Engine(#[from] wasmtime::Error),
    #[error("the path {0}; it is the latchkey directory or LATCHKEY_EXTENSION_PERMISSIONS_ROOT")]
    Path(#[from] RelativeBoundary),
    #[error("the extensions directory {} cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Every extension of one gateway.
pub struct Extensions {
    /// Swapped as a whole: a request uses the generation that it started with.
    current: ArcSwap<Generation>,
    loader: Loader,
    /// Held while extensions change: one change at a time.
    directory: tokio::sync::Mutex<Directory>,
    /// What was last seen of each extension, by name.
    known: Mutex<BTreeMap<String, Known>>,
    /// What was replaced and still answers what it had begun.
    draining: TaskTracker,
    ending_streams: CancellationToken,
    stopping: CancellationToken,
}

/// Who answers a request.
pub struct Route {
    extension: Arc<Extension>,
    streaming: bool,
}

impl Extensions {
    /// Installs the bundled components, loads and starts every component in the extensions directory.
    ///
    /// # Errors
    /// When nothing can be served at all. A component that cannot be served is left out, and the log says why.
    pub async fn load(settings: Settings, engine: Arc<Engine>) -> Result<Self, LoadError> {
        let directory = settings.latchkey_directory.join("extensions");
        let catalog = directory.join(bundled::CATALOG_FILE);
        let setup = {
            let (directory, cache) = (directory.clone(), settings.compile_cache.clone());
            let compiler = settings.compiler.clone();
            let services = settings.catalog.clone();
            tokio::task::spawn_blocking(move || {
                bundled::install(&directory, &services)?;
                Ok::<_, LoadError>(Arc::new(Runtime::new(Some(&cache), compiler)?))
            })
        };
        let runtime = match setup.await {
            Ok(setup) => setup?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let services = Arc::new(Services::new(
            ServicePaths {
                latchkey_directory: settings.latchkey_directory.clone(),
                permissions_root: settings.permissions_root.clone(),
                catalog,
            },
            engine,
        )?);
        let extensions = Self {
            current: ArcSwap::from_pointee(Generation::empty()),
            loader: Loader {
                runtime,
                services,
                settings,
            },
            directory: tokio::sync::Mutex::new(Directory::new(directory)),
            known: Mutex::new(BTreeMap::new()),
            draining: TaskTracker::new(),
            ending_streams: CancellationToken::new(),
            stopping: CancellationToken::new(),
        };
        extensions.begin().await?;
        extensions.loader.runtime.compiler.give_way();
        Ok(extensions)
    }

    /// Who serves the request, if anybody. `path` is percent-encoded.
    pub fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<Route> {
        let current = self.current.load();
        let (extension, streaming) = current.routes.find(method, path, query)?;
        Some(Route {
            extension: Arc::clone(extension),
            streaming,
        })
    }

    /// Every extension that is known, by name, as it stands.
    pub fn report(&self) -> Vec<ExtensionReport> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        known
            .iter()
            .map(|(name, known)| known.report(name, current.extensions.get(name)))
            .collect()
    }

    /// Whether the gateway ends, so that nobody serves anything any more.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends every open stream cleanly. Other requests go on.
    pub fn end_streams(&self) {
        self.ending_streams.cancel();
        for extension in self.current.load().extensions.values() {
            extension.workers.end_streams();
        }
    }

    /// Lets each instance finish and run its `stop`. Nothing is loaded any more.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let last = {
            // A change under way ends first, or its extensions would outlive this.
            let _unchanging = self.directory.lock().await;
            self.current.swap(Arc::new(Generation::empty()))
        };
        let stops = last.extensions.values();
        futures::future::join_all(stops.map(|extension| extension.workers.stop())).await;
        self.draining.close();
        self.draining.wait().await;
    }
}

impl Route {
    /// Has the extension answer.
    pub async fn answer(&self, request: ExtensionRequest) -> Answer {
        self.extension.workers.answer(request, self.streaming).await
    }

    /// The longest request body that the extension accepts, in bytes.
    pub fn body_limit(&self) -> Option<u64> {
        self.extension.grants.body_limit()
    }

    /// Whether the answer may take as long as it likes, or stay open.
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Whether the extension has to do with who may do what: it may see permissions files, or pending requests.
    pub fn knows_permissions(&self) -> bool {
        self.extension.grants.knows_permissions()
    }

    /// The extension's name, for the log.
    pub fn extension(&self) -> &str {
        &self.extension.name
    }
}

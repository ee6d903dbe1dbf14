//! The host of extension components: loading, routing, instances, and the capabilities that they may use.
//!
//! An extension runs as several long-lived instances, each in a store of its own. What it can do is what it imports, asks for
//! in its manifest and is granted. A component that fails to load is left out and named in the log; the others serve.

mod bundled;
mod capabilities;
mod component;
mod engine;
mod exchange;
pub mod installed;
mod instance;
mod outbound;
pub mod output;
mod policy;
pub mod report;
mod routes;
mod state;
mod threads;
mod trailers;
mod v0_1;
mod v0_2;
mod workers;
mod worlds;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use self::capabilities::{Capabilities, ServicePaths, Services};
pub use self::component::ComponentError;
use self::component::Loaded;
use self::engine::Runtime;
pub use self::exchange::{Answer, ExtensionRequest, LEAVING_GRACE, ResponseBody};
use self::instance::Blueprint;
pub use self::outbound::Limits as UpstreamLimits;
use self::policy::Grants;
use self::routes::RouteTable;
pub use self::threads::{ServingHandles, ServingThreads};
pub use self::trailers::is_permitted_trailer;
use self::workers::{Placement, RouteKinds, Workers};
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

/// Why one component is left out.
#[derive(Debug, thiserror::Error)]
enum Rejected {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    #[error(transparent)]
    Start(#[from] workers::StartError),
    #[error(transparent)]
    Route(#[from] routes::RouteError),
}

/// One running extension.
struct Extension {
    name: String,
    loaded: Loaded,
    grants: Grants,
    workers: Workers,
}

/// The extensions that run, and the table of their routes.
struct Generation {
    routes: RouteTable<Arc<Extension>>,
    extensions: Vec<Arc<Extension>>,
}

/// Every extension of one gateway.
pub struct Extensions {
    /// Swapped as a whole: a request uses the generation that it started with.
    current: ArcSwap<Generation>,
    // The engine's clock runs while this lives.
    _runtime: Arc<Runtime>,
}

/// Who answers a request.
pub struct Route {
    extension: Arc<Extension>,
    streaming: bool,
}

impl Extensions {
    /// Installs the bundled components, loads and starts every component in the extensions directory.
    pub async fn load(settings: Settings, engine: Arc<Engine>) -> Result<Self, LoadError> {
        let directory = settings.latchkey_directory.join("extensions");
        let catalog = directory.join(bundled::CATALOG_FILE);
        let setup = {
            let (directory, cache) = (directory.clone(), settings.compile_cache.clone());
            let services = settings.catalog.clone();
            tokio::task::spawn_blocking(move || {
                bundled::install(&directory, &services)?;
                let components = component_files(&directory)?;
                Ok::<_, LoadError>((Arc::new(Runtime::new(&cache)?), components))
            })
        };
        let (runtime, components) = match setup.await {
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
        let started = futures::future::join_all(
            components
                .iter()
                .map(|path| start(&runtime, &services, &settings, path)),
        )
        .await;
        let mut generation = Generation {
            routes: RouteTable::new(),
            extensions: Vec::new(),
        };
        for (path, extension) in components.iter().zip(started) {
            let rejected = match extension {
                Ok(extension) => generation
                    .add(Arc::new(extension))
                    .err()
                    .map(Rejected::from),
                Err(rejected) => Some(rejected),
            };
            if let Some(reason) = rejected {
                tracing::error!(component = %path.display(), "the extension is not served: {reason}");
            }
        }
        Ok(Self {
            current: ArcSwap::from_pointee(generation),
            _runtime: runtime,
        })
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

    /// Ends every open stream cleanly. Other requests go on.
    pub fn end_streams(&self) {
        for extension in &self.current.load().extensions {
            extension.workers.end_streams();
        }
    }

    /// Lets each instance finish and run its `stop`.
    pub async fn stop(&self) {
        let extensions = self.current.swap(Arc::new(Generation {
            routes: RouteTable::new(),
            extensions: Vec::new(),
        }));
        futures::future::join_all(
            extensions
                .extensions
                .iter()
                .map(|extension| extension.workers.stop()),
        )
        .await;
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

impl Generation {
    /// Takes the extension's granted routes in, all or none.
    fn add(&mut self, extension: Arc<Extension>) -> Result<(), routes::RouteError> {
        for route in &extension.loaded.manifest.routes {
            if !extension.grants.allows_route(&route.method, &route.path) {
                tracing::warn!(
                    extension = extension.name,
                    route = format_args!("{} {}", route.method, route.path),
                    "the route is not granted, so it is not served"
                );
                continue;
            }
            if let Err(error) = self
                .routes
                .insert(&extension.name, route, Arc::clone(&extension))
            {
                self.routes.remove_owner(&extension.name);
                return Err(error);
            }
        }
        tracing::info!(
            extension = extension.name,
            version = extension.loaded.manifest.version,
            world = extension.loaded.world(),
            sha256 = extension.loaded.sha256,
            "the extension is served"
        );
        self.extensions.push(extension);
        Ok(())
    }
}

/// The components in the directory, by name.
fn component_files(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let mut components = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden
            && path
                .extension()
                .is_some_and(|extension| extension == "wasm")
        {
            components.push(path);
        }
    }
    components.sort();
    Ok(components)
}

async fn start(
    runtime: &Arc<Runtime>,
    services: &Arc<Services>,
    settings: &Settings,
    path: &Path,
) -> Result<Extension, Rejected> {
    let loaded = Loaded::load(runtime, services, path).await?;
    let (grants, is_bundled) = match bundled::grants_of(&loaded.name, &loaded.sha256, settings) {
        Some(grants) => (grants, true),
        None => (Grants::read(&path.with_extension("toml"))?, false),
    };
    let grants = grants.restricted_to(&loaded.manifest);
    let placement = match is_bundled && settings.threads.count() > 0 {
        true => Placement::Serving(settings.threads.clone()),
        false => Placement::Apart {
            instances: grants.instances,
        },
    };
    let blueprint = Blueprint {
        component: loaded.component.clone(),
        capabilities: Capabilities::new(&loaded.name, grants.clone(), Arc::clone(services)),
        body_limit: grants.body_limit(),
    };
    let routes = &loaded.manifest.routes;
    let kinds = RouteKinds {
        answering: routes.iter().any(|route| !route.streaming),
        streaming: routes.iter().any(|route| route.streaming),
    };
    let workers = Workers::start(&blueprint, placement, kinds).await?;
    Ok(Extension {
        name: loaded.name.clone(),
        loaded,
        grants,
        workers,
    })
}

//! One extension that runs: its component, its grants, its instances.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::capabilities::{Capabilities, Services};
use super::component::{ComponentError, Loaded};
use super::directory::Source;
use super::engine::Runtime;
use super::instance::Blueprint;
use super::policy::{Grants, PolicyError};
use super::report::{Asked, Granted, Origin, Serving};
use super::routes::RouteError;
use super::workers::{Placement, RouteKinds, StartError, Workers};
use super::worlds::Route;
use super::{Settings, bundled, directory};

/// What extensions are started with.
pub(super) struct Loader {
    pub(super) runtime: Arc<Runtime>,
    pub(super) services: Arc<Services>,
    pub(super) settings: Settings,
}

/// A running extension. To be told to drain or to stop: one that is dropped ends too, but nobody waits for it.
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) since: Timestamp,
    pub(super) loaded: Loaded,
    pub(super) grants: Grants,
    pub(super) workers: Workers,
}

/// Why a component is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejected {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("its instances do not start: {0}")]
    Start(#[from] StartError),
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error("'{name}' is not in {}", directory.display())]
    Unknown { name: String, directory: PathBuf },
}

impl Loader {
    /// Loads the component of this name and starts its instances. Nothing else is touched, whether it succeeds or not.
    pub(super) async fn start(&self, name: &str, source: &Source) -> Result<Extension, Rejected> {
        let path = &source.component;
        if !source.is_bundled(name) {
            // Nothing is compiled for nobody.
            Grants::read(&directory::policy_of(path))?;
        }
        let loaded = Loaded::load(&self.runtime, &self.services, path).await?;
        let compiled_in = bundled::grants_of(&loaded.name, &loaded.sha256, &self.settings);
        let (grants, origin) = match compiled_in {
            Some(grants) => (grants, Origin::Bundled),
            // Read again: compiling takes its time.
            None => (
                Grants::read(&directory::policy_of(path))?,
                Origin::Installed,
            ),
        };
        let grants = grants.restricted_to(&loaded.manifest);
        let placement = match origin {
            Origin::Bundled if self.settings.threads.count() > 0 => {
                Placement::Serving(self.settings.threads.clone())
            }
            Origin::Bundled | Origin::Installed => Placement::Apart {
                instances: grants.instances,
                threads: self.settings.threads.clone(),
            },
        };
        let blueprint = Blueprint {
            component: loaded.component.clone(),
            capabilities: Capabilities::new(
                &loaded.name,
                grants.clone(),
                Arc::clone(&self.services),
            ),
        };
        let routes = &loaded.manifest.routes;
        let kinds = RouteKinds {
            answering: routes.iter().any(|route| !route.streaming),
            streaming: routes.iter().any(|route| route.streaming),
        };
        let workers = Workers::start(&blueprint, placement, kinds).await?;
        Ok(Extension {
            name: loaded.name.clone(),
            origin,
            since: Timestamp::now(),
            loaded,
            grants,
            workers,
        })
    }
}

impl Extension {
    /// The routes that its manifest names and its policy grants.
    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        let routes = self.loaded.manifest.routes.iter();
        routes.filter(|route| self.grants.allows_route(&route.method, &route.path))
    }

    /// Says in the log that requests reach it from now on.
    pub(super) fn announce(&self, replaced: Option<&Self>) {
        for route in &self.loaded.manifest.routes {
            if !self.grants.allows_route(&route.method, &route.path) {
                tracing::warn!(
                    extension = self.name,
                    route = format_args!("{} {}", route.method, route.path),
                    "the route is not granted, so it is not served"
                );
            }
        }
        let version = &self.loaded.manifest.version;
        let sha256 = &self.loaded.sha256;
        match replaced {
            None => tracing::info!(
                extension = self.name,
                version,
                sha256,
                "the extension is served"
            ),
            Some(replaced) => tracing::info!(
                extension = self.name,
                version,
                sha256,
                replaced = replaced.loaded.sha256,
                "the extension is replaced"
            ),
        }
    }

    pub(super) fn report(&self) -> Serving {
        Serving {
            version: self.loaded.manifest.version.clone(),
            world: self.loaded.component.world().to_string(),
            sha256: self.loaded.sha256.clone(),
            since: self.since,
            asked: Asked::of(&self.loaded.manifest),
            granted: Granted::of(&self.grants, &self.loaded.manifest),
            activity: self.workers.activity(),
        }
    }
}

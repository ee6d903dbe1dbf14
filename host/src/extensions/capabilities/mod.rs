//! What extensions may do to the world: one module a host interface of `wit/capabilities.wit`.
//!
//! Every gate is here: a function checks the instance's grants before it touches anything. What is not granted answers
//! `not-granted` (or, for settings, nothing) and leaves a line in the log.

mod catalog;
mod client;
mod disk;
mod documents;
mod egress;
mod events;
mod log;
mod permission_files;
mod settings;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

pub(super) use self::catalog::CatalogFile;
use self::disk::Disk;
pub(super) use self::documents::Collections;
pub(super) use self::egress::Egress;
pub(super) use self::events::Bus;
pub(super) use self::log::StandardStream;
pub(super) use self::permission_files::PermissionFiles;
use super::outbound;
use super::output::{OutputLog, Outputs};
use super::policy::{Grants, Limits};
use crate::permissions::Engine;
use crate::store::boundary::RelativeBoundary;

/// What all extensions of a gateway share.
pub(super) struct Services {
    catalog: CatalogFile,
    collections: Collections,
    bus: Bus,
    permission_files: PermissionFiles,
    outbound: outbound::Client,
    outputs: Outputs,
}

/// Where the services keep their files.
pub(crate) struct ServicePaths {
    pub(crate) latchkey_directory: PathBuf,
    /// `LATCHKEY_EXTENSION_PERMISSIONS_ROOT`; unset refuses the files below it.
    pub(crate) permissions_root: Option<PathBuf>,
    pub(crate) catalog: PathBuf,
}

impl Services {
    /// # Errors
    /// When the latchkey directory or the permissions root is no absolute path.
    pub(super) fn new(paths: ServicePaths, engine: Arc<Engine>) -> Result<Self, RelativeBoundary> {
        let root = paths.permissions_root.as_deref();
        let extensions = paths.latchkey_directory.join("extensions");
        Ok(Self {
            catalog: CatalogFile::new(paths.catalog),
            permission_files: PermissionFiles::new(&paths.latchkey_directory, root, engine)?,
            collections: Collections::new(paths.latchkey_directory),
            bus: Bus::default(),
            outbound: outbound::Client::new(),
            outputs: Outputs::new(&extensions),
        })
    }
}

/// One extension's share of the services: what its grants let through. Cheap to clone.
#[derive(Clone)]
pub(super) struct Capabilities {
    extension: Arc<str>,
    grants: Arc<Grants>,
    services: Arc<Services>,
    output: Arc<OutputLog>,
    participant: Arc<events::Participant>,
    disk: Arc<Disk>,
    /// For each request to another server; without, there may be any number.
    outbound_places: Option<Arc<Semaphore>>,
}

impl Capabilities {
    pub(super) fn new(extension: &str, grants: Grants, services: Arc<Services>) -> Self {
        let output = services.outputs.of(extension);
        let events_per_second = NonZeroU32::new(grants.events_per_second);
        Self {
            extension: extension.into(),
            disk: Arc::new(Disk::new(grants.disk_calls)),
            outbound_places: grants
                .limits()
                .concurrency
                .map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))),
            grants: Arc::new(grants),
            participant: Arc::new(events::Participant::new(
                Arc::clone(&output),
                events_per_second,
            )),
            output,
            services,
        }
    }

    pub(super) fn extension_name(&self) -> &str {
        &self.extension
    }

    /// How much of everything the extension may use.
    pub(super) fn limits(&self) -> Limits {
        self.grants.limits()
    }

    /// Where to say what there is to say of the extension.
    pub(super) fn output(&self) -> &Arc<OutputLog> {
        &self.output
    }

    fn refused(&self, capability: &str, wanted: &str) {
        self.output.refused(capability, wanted);
    }
}

//! A component of any version of `mngr:gateway` that this gateway hosts.
//!
//! Knows the hosted versions, tells from a component's exports which one it was built for, and is the one place that differs
//! by it. All other modules speak in the types of the newest version; what an instance of an older one takes and gives is
//! converted here, by moving its parts. A new version adds a module like `v0_2` and an arm to each match below.

use std::collections::BTreeSet;
use std::fmt;

use wasmtime::component::{Accessor, InstancePre, Linker, Resource};
use wasmtime::{Engine, Store};
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;

use super::state::InstanceState;
pub(super) use super::v0_2::{
    Context, Manifest, Origin, Outcome, PermissionFilesAccess, Route, Upstream,
};
use super::{v0_1, v0_2};

const PACKAGE: &str = "mngr:gateway";

/// What an extension must export, each in the same version.
const EXPORTS: [&str; 2] = ["handler", "lifecycle"];

/// A hosted version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum World {
    V0_1,
    V0_2,
}

/// Why a component is of no hosted world.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    #[error("it does not export {PACKAGE}/handler and {PACKAGE}/lifecycle, so it is no extension")]
    NotAnExtension,
    #[error(
        "it is built for {PACKAGE}@{found}, and this gateway hosts {hosted}: build it against one of them",
        hosted = World::hosted()
    )]
    OtherVersion { found: String },
    #[error(
        "its exports mix versions of {PACKAGE} ({}): build all of it against one of {hosted}",
        .found.join(", "),
        hosted = World::hosted()
    )]
    Mixed { found: Vec<String> },
}

impl World {
    const ALL: [Self; 2] = [Self::V0_1, Self::V0_2];

    /// The world of a component with exports of these names.
    pub(super) fn of_exports<'a>(
        exports: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, WorldError> {
        let (mut interfaces, mut versions) = (BTreeSet::new(), BTreeSet::new());
        for export in exports {
            let Some((interface, version)) = export
                .strip_prefix(PACKAGE)
                .and_then(|rest| rest.strip_prefix('/'))
                .and_then(|rest| rest.split_once('@'))
            else {
                continue;
            };
            interfaces.insert(interface);
            versions.insert(version);
        }
        let mut versions = versions.into_iter();
        let found = match (versions.next(), versions.next()) {
            (None, _) => return Err(WorldError::NotAnExtension),
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                let found = [first, second].into_iter().chain(versions);
                return Err(WorldError::Mixed {
                    found: found.map(str::to_owned).collect(),
                });
            }
        };
        let world = Self::ALL.into_iter().find(|world| world.version() == found);
        match world {
            None => Err(WorldError::OtherVersion {
                found: found.to_owned(),
            }),
            Some(_) if !EXPORTS.iter().all(|export| interfaces.contains(export)) => {
                Err(WorldError::NotAnExtension)
            }
            Some(world) => Ok(world),
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::V0_1 => v0_1::VERSION,
            Self::V0_2 => v0_2::VERSION,
        }
    }

    /// All of them, for people.
    fn hosted() -> String {
        Self::ALL.map(|world| world.to_string()).join(" and ")
    }
}

/// As reports name it: `mngr:gateway@0.1.0`.
impl fmt::Display for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PACKAGE}@{}", self.version())
    }
}

/// Everything that a component of any hosted version may import from the gateway.
pub(super) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    v0_1::add_to_linker(linker)?;
    v0_2::add_to_linker(linker)
}

/// A compiled component, its imports satisfied. Cheap to clone.
#[derive(Clone)]
pub(super) enum Guest {
    V0_1(v0_1::ExtensionPre<InstanceState>),
    V0_2(v0_2::ExtensionPre<InstanceState>),
}

impl Guest {
    /// Fails when an export is not of the type that `world` gives it.
    pub(super) fn new(world: World, pre: InstancePre<InstanceState>) -> wasmtime::Result<Self> {
        Ok(match world {
            World::V0_1 => Self::V0_1(v0_1::ExtensionPre::new(pre)?),
            World::V0_2 => Self::V0_2(v0_2::ExtensionPre::new(pre)?),
        })
    }

    pub(super) fn world(&self) -> World {
        match self {
            Self::V0_1(_) => World::V0_1,
            Self::V0_2(_) => World::V0_2,
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::V0_1(pre) => pre.engine(),
            Self::V0_2(pre) => pre.engine(),
        }
    }

    pub(super) async fn instantiate(
        &self,
        store: &mut Store<InstanceState>,
    ) -> wasmtime::Result<GuestInstance> {
        Ok(match self {
            Self::V0_1(pre) => GuestInstance::V0_1(pre.instantiate_async(store).await?),
            Self::V0_2(pre) => GuestInstance::V0_2(pre.instantiate_async(store).await?),
        })
    }
}

/// An instance of a [`Guest`]. Each function is the one of the same name in `wit/`; an outer error is a trap.
pub(super) enum GuestInstance {
    V0_1(v0_1::Extension),
    V0_2(v0_2::Extension),
}

impl GuestInstance {
    pub(super) async fn describe(
        &self,
        accessor: &Accessor<InstanceState>,
    ) -> wasmtime::Result<Manifest> {
        match self {
            Self::V0_1(instance) => {
                let manifest = instance.mngr_gateway_lifecycle().call_describe(accessor);
                manifest.await.map(Into::into)
            }
            Self::V0_2(instance) => {
                let manifest = instance
                    .mngr_gateway0_2_0_lifecycle()
                    .call_describe(accessor);
                manifest.await
            }
        }
    }

    pub(super) async fn start(
        &self,
        accessor: &Accessor<InstanceState>,
    ) -> wasmtime::Result<Result<(), String>> {
        match self {
            Self::V0_1(instance) => instance.mngr_gateway_lifecycle().call_start(accessor).await,
            Self::V0_2(instance) => {
                instance
                    .mngr_gateway0_2_0_lifecycle()
                    .call_start(accessor)
                    .await
            }
        }
    }

    pub(super) async fn stop(&self, accessor: &Accessor<InstanceState>) -> wasmtime::Result<()> {
        match self {
            Self::V0_1(instance) => instance.mngr_gateway_lifecycle().call_stop(accessor).await,
            Self::V0_2(instance) => {
                instance
                    .mngr_gateway0_2_0_lifecycle()
                    .call_stop(accessor)
                    .await
            }
        }
    }

    pub(super) async fn handle(
        &self,
        accessor: &Accessor<InstanceState>,
        request: Resource<Request>,
        context: Context,
    ) -> wasmtime::Result<Result<Outcome, ErrorCode>> {
        match self {
            Self::V0_1(instance) => {
                let handler = instance.mngr_gateway_handler();
                let outcome = handler.call_handle(accessor, request, context.into());
                Ok(outcome.await?.map(Into::into))
            }
            Self::V0_2(instance) => {
                let handler = instance.mngr_gateway0_2_0_handler();
                handler.call_handle(accessor, request, context).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exports: &[&str]) -> Result<World, WorldError> {
        World::of_exports(exports.iter().copied())
    }

    #[test]
    fn exports_of_one_hosted_version_name_the_world() {
        for world in World::ALL {
            let exports = EXPORTS.map(|export| format!("{PACKAGE}/{export}@{}", world.version()));
            let exports = exports.iter().map(String::as_str);
            assert_eq!(
                World::of_exports(exports.chain(["wasi:cli/run@0.2.0"])),
                Ok(world)
            );
        }
    }

    #[test]
    fn half_an_extension_is_none() {
        for exports in [
            &[][..],
            &["wasi:cli/run@0.2.0"],
            &["mngr:gateway/handler@0.1.0"],
            &["mngr:gateway/lifecycle@0.2.0"],
            &["mngr:gateway-too/handler@0.1.0"],
        ] {
            assert_eq!(of(exports), Err(WorldError::NotAnExtension), "{exports:?}");
        }
    }

    #[test]
    fn an_unknown_version_is_refused_with_every_hosted_one_named() {
        let error = of(&["mngr:gateway/handler@0.9.0"]).unwrap_err().to_string();
        for version in ["@0.9.0", "mngr:gateway@0.1.0", "mngr:gateway@0.2.0"] {
            assert!(error.contains(version), "{error}");
        }
    }

    #[test]
    fn exports_of_several_versions_are_refused_with_all_named() {
        let error = of(&["mngr:gateway/handler@0.1.0", "mngr:gateway/lifecycle@0.2.0"]);
        assert_eq!(
            error,
            Err(WorldError::Mixed {
                found: vec!["0.1.0".to_owned(), "0.2.0".to_owned()]
            })
        );
    }
}

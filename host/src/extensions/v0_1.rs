//! Bindings of `mngr:gateway@0.1.0`. A later version of the package gets a module of its own beside this one.

use wasmtime::component::{HasSelf, Linker};

use super::state::InstanceState;

wasmtime::component::bindgen!({
    path: "../wit",
    world: "mngr:gateway/extension",
    imports: {
        "mngr:gateway/events.subscribe": store | trappable,
        default: trappable,
    },
    exports: { default: async | store },
    with: {
        "wasi:http": wasmtime_wasi_http::p3::bindings::http,
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "wasi:random": wasmtime_wasi::p3::bindings::random,
    },
});

pub(super) use exports::mngr::gateway::handler::{Context, Outcome};
#[cfg(test)]
pub(super) use exports::mngr::gateway::lifecycle::Upstream;
pub(super) use exports::mngr::gateway::lifecycle::{
    Manifest, Origin, PermissionFilesAccess, Route,
};
pub(super) use mngr::gateway::{
    catalog, client, documents, events, log, permission_files, settings, types,
};

/// The package whose exports mark a component as an extension, and the version that this module hosts.
pub(super) const PACKAGE: &str = "mngr:gateway";
pub(super) const VERSION: &str = "0.1.0";

pub(super) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    catalog::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    client::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    documents::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    events::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    permission_files::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    settings::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)
}

//! Bindings of `mngr:gateway@0.2.0`, which adds `client.time-left`. Every other capability is the one of 0.1.0.

use wasmtime::component::{HasSelf, Linker};

use super::state::InstanceState;

wasmtime::component::bindgen!({
    path: "../wit/v0.2",
    world: "mngr:gateway/extension@0.2.0",
    imports: { default: trappable },
    exports: { default: async | store },
    with: {
        "mngr:gateway@0.1.0": super::v0_1::mngr::gateway,
        "wasi:http": wasmtime_wasi_http::p3::bindings::http,
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "wasi:random": wasmtime_wasi::p3::bindings::random,
    },
});

pub(super) use exports::mngr::gateway0_2_0::handler::{BufferedResponse, Context, Outcome};
pub(super) use exports::mngr::gateway0_2_0::lifecycle::{
    Manifest, Origin, PermissionFilesAccess, Route, Upstream,
};
pub(super) use mngr::gateway0_2_0::client;

pub(super) const VERSION: &str = "0.2.0";

pub(super) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    client::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)
}

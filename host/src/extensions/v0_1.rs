//! Bindings of `mngr:gateway@0.1.0`, and the way from its types to those of the newest version.

use wasmtime::component::{HasSelf, Linker};

use super::state::InstanceState;
use super::v0_2;

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

use exports::mngr::gateway::handler::{Context, Outcome};
use exports::mngr::gateway::lifecycle::{Manifest, Origin, PermissionFilesAccess, Route, Upstream};
pub(super) use mngr::gateway::{
    catalog, client, documents, events, log, permission_files, settings, types,
};

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

impl From<v0_2::Context> for Context {
    fn from(context: v0_2::Context) -> Self {
        Self {
            permissions_config: context.permissions_config,
            request_id: context.request_id,
        }
    }
}

impl From<Outcome> for v0_2::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Handled(response) => Self::Handled(response),
            Outcome::Buffered(response) => Self::Buffered(v0_2::BufferedResponse {
                status: response.status,
                headers: response.headers,
                body: response.body,
            }),
            Outcome::Declined => Self::Declined,
        }
    }
}

impl From<Manifest> for v0_2::Manifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            name: manifest.name,
            version: manifest.version,
            routes: manifest.routes.into_iter().map(Into::into).collect(),
            collections: manifest.collections,
            topics: manifest.topics,
            settings: manifest.settings,
            permission_files: manifest.permission_files.into(),
            catalog: manifest.catalog,
            upstreams: manifest.upstreams.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Route> for v0_2::Route {
    fn from(route: Route) -> Self {
        Self {
            method: route.method,
            path: route.path,
            query_parameter: route.query_parameter,
            streaming: route.streaming,
        }
    }
}

impl From<PermissionFilesAccess> for v0_2::PermissionFilesAccess {
    fn from(access: PermissionFilesAccess) -> Self {
        match access {
            PermissionFilesAccess::None => Self::None,
            PermissionFilesAccess::Read => Self::Read,
            PermissionFilesAccess::Edit => Self::Edit,
        }
    }
}

impl From<Upstream> for v0_2::Upstream {
    fn from(upstream: Upstream) -> Self {
        Self {
            origin: match upstream.origin {
                Origin::Fixed(origin) => v0_2::Origin::Fixed(origin),
                Origin::Setting(name) => v0_2::Origin::Setting(name),
            },
            bearer: upstream.bearer,
        }
    }
}

//! The extensions that come with the gateway: their components as built, and what they are granted.
//!
//! At start they and the catalog are written into `<latchkey directory>/extensions/`, as any other extension stands there;
//! a copy from an older gateway is replaced.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use super::Settings;
use super::policy::{FilesAccess, Grants, UpstreamGrant};
use crate::permissions::catalog::Catalog;
use crate::store::durable::{self, StorageError};

/// The catalog's file name beside the components.
pub(crate) const CATALOG_FILE: &str = "services.json";

/// One extension that is compiled in.
pub(super) struct Bundled {
    pub(super) name: &'static str,
    component: &'static [u8],
    grants: fn(&Settings) -> Grants,
}

/// All of them, by name.
static BUNDLED: [Bundled; 3] = [
    Bundled {
        name: "minds-api-proxy",
        component: include_bytes!("../../bundled/minds-api-proxy.wasm"),
        grants: minds_api_proxy,
    },
    Bundled {
        name: "permission-requests",
        component: include_bytes!("../../bundled/permission-requests.wasm"),
        grants: permission_requests,
    },
    Bundled {
        name: "permissions",
        component: include_bytes!("../../bundled/permissions.wasm"),
        grants: permissions,
    },
];

fn minds_api_proxy(settings: &Settings) -> Grants {
    const URL: &str = "LATCHKEY_EXTENSION_MINDS_API_URL";
    const KEY: &str = "LATCHKEY_EXTENSION_MINDS_API_KEY";
    Grants {
        routes: names(&[
            "* /minds-api-proxy",
            "* /minds-api-proxy/",
            "* /minds-api-proxy/{*rest}",
        ]),
        settings: names(&[URL]),
        upstreams: vec![UpstreamGrant {
            limits: settings.minds_api_limits,
            ..UpstreamGrant::in_setting(URL, KEY)
        }],
        // Bodies are passed on as they come.
        max_body_bytes: 0,
        ..small()
    }
}

fn permission_requests(_: &Settings) -> Grants {
    Grants {
        routes: names(&[
            "POST /permission-requests",
            "POST /permission-requests/",
            "GET /permission-requests",
            "GET /permission-requests/",
            "POST /permission-requests/approve/{id}",
            "DELETE /permission-requests/{id}",
        ]),
        collections: names(&["permission_requests/v2"]),
        topics: names(&["permission-requests"]),
        permission_files: FilesAccess::Edit,
        catalog: true,
        ..small()
    }
}

fn permissions(_: &Settings) -> Grants {
    Grants {
        routes: names(&[
            "GET /permissions",
            "GET /permissions/",
            "GET /permissions/self",
            "GET /permissions/self/",
            "GET /permissions/available",
            "GET /permissions/available/",
            "GET /permissions/available/{service}",
            "GET /permissions/rules",
            "GET /permissions/rules/",
            "POST /permissions/rules",
            "POST /permissions/rules/",
            "DELETE /permissions/rules",
            "DELETE /permissions/rules/",
        ]),
        permission_files: FilesAccess::Edit,
        catalog: true,
        ..small()
    }
}

fn small() -> Grants {
    Grants {
        instances: NonZeroUsize::MIN.saturating_add(1),
        disk_calls: NonZeroUsize::MIN.saturating_add(255),
        ..Grants::default().without_request_limits()
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The compiled-in grants of a component with these bytes under this name; none for anybody else's.
pub(super) fn grants_of(name: &str, sha256: &str, settings: &Settings) -> Option<Grants> {
    find(name, sha256).map(|bundled| (bundled.grants)(settings))
}

/// Whether a component with these bytes under this name came with the gateway.
pub(super) fn is_bundled(name: &str, sha256: &str) -> bool {
    find(name, sha256).is_some()
}

fn find(name: &str, sha256: &str) -> Option<&'static Bundled> {
    BUNDLED.iter().find(|bundled| {
        bundled.name == name && super::component::sha256(bundled.component) == sha256
    })
}

/// The names of all of them.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|bundled| bundled.name)
}

/// Writes the bundled components and what clients see of `catalog` into `directory`, durably, where they are not there already.
/// Blocking. `directory` is created when missing (0700).
pub(crate) fn install(directory: &Path, catalog: &Catalog) -> Result<(), StorageError> {
    durable::create_dir_all(directory)?;
    durable::sweep_temporary_files(directory)?;
    for bundled in &BUNDLED {
        install_file(
            &directory.join(bundled.name).with_extension("wasm"),
            bundled.component,
        )?;
    }
    install_file(
        &directory.join(CATALOG_FILE),
        catalog.listing().to_json().as_bytes(),
    )
}

fn install_file(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    // Whatever cannot be read, or is something else than a file, is replaced.
    if let Ok(Some((present, _))) = durable::read(path, length)
        && present == content
    {
        return Ok(());
    }
    durable::write(path, content, 0o600)
}

//! Manifests and grants in the words that people read.

use super::super::policy::{FilesAccess, Grants, Server, UpstreamGrant, WebOrigin};
use super::super::worlds::{Manifest, Origin, PermissionFilesAccess, Route, Upstream};
use super::{Asked, Granted};

impl Asked {
    pub(in crate::extensions) fn of(manifest: &Manifest) -> Self {
        Self {
            routes: manifest.routes.iter().map(route).collect(),
            collections: manifest.collections.clone(),
            topics: manifest.topics.clone(),
            settings: manifest.settings.clone(),
            permission_files: match manifest.permission_files {
                PermissionFilesAccess::None => "none",
                PermissionFilesAccess::Read => "read",
                PermissionFilesAccess::Edit => "edit",
            }
            .to_owned(),
            catalog: manifest.catalog,
            upstreams: manifest.upstreams.iter().map(asked_upstream).collect(),
        }
    }
}

impl Granted {
    /// What `grants` leaves of the manifest; `grants` are restricted to it already.
    pub(in crate::extensions) fn of(grants: &Grants, manifest: &Manifest) -> Self {
        let routes = manifest.routes.iter();
        Self {
            capabilities: Asked {
                routes: routes
                    .filter(|route| grants.allows_route(&route.method, &route.path))
                    .map(route)
                    .collect(),
                collections: grants.collections.iter().cloned().collect(),
                topics: grants.topics.iter().cloned().collect(),
                settings: grants.settings.iter().cloned().collect(),
                permission_files: match grants.permission_files {
                    FilesAccess::None => "none",
                    FilesAccess::Read => "read",
                    FilesAccess::Edit => "edit",
                }
                .to_owned(),
                catalog: grants.catalog,
                upstreams: grants.upstreams.iter().map(granted_upstream).collect(),
            },
            limits: grants.reported_limits(),
        }
    }
}

fn route(route: &Route) -> String {
    match &route.query_parameter {
        None => format!("{} {}", route.method, route.path),
        Some(parameter) => format!("{} {} ?{parameter}", route.method, route.path),
    }
}

fn asked_upstream(upstream: &Upstream) -> String {
    let server = match &upstream.origin {
        // As the grant spells it.
        Origin::Fixed(origin) => {
            WebOrigin::of_url(origin).map_or_else(|| origin.clone(), |origin| origin.to_string())
        }
        Origin::Setting(name) => format!("${name}"),
    };
    with_bearer(server, upstream.bearer.as_deref())
}

fn granted_upstream(upstream: &UpstreamGrant) -> String {
    let server = match &upstream.server {
        Server::Fixed(origin) => origin.to_string(),
        Server::InSetting(name) => format!("${name}"),
    };
    with_bearer(server, upstream.bearer_setting.as_deref())
}

fn with_bearer(server: String, bearer: Option<&str>) -> String {
    match bearer {
        None => server,
        Some(setting) => format!("{server} with ${setting}"),
    }
}

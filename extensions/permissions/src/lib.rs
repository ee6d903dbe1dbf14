//! The extension `permissions`: permissions files and the service catalog over HTTP.
//!
//! Every file is named by the caller and resolved by the gateway strictly below the permissions root, except the one that
//! allowed the request itself (`/permissions/self`). What changes nothing writes nothing; two edits of one file never lose
//! one another. Errors are `{"error": "..."}`.

mod cache;
mod catalog;
mod files;
mod permissions_file;
mod refusal;
mod rule_body;

use std::cell::RefCell;

use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
    decode_component,
};

use crate::catalog::Catalog;
use crate::files::{RenderedFiles, Rule};
use crate::refusal::Refusal;

const AVAILABLE_PREFIX: &str = "/permissions/available/";

/// The extension with what it remembers between requests.
#[derive(Default)]
struct Permissions {
    applied: RefCell<RenderedFiles>,
    named: RefCell<RenderedFiles>,
    catalog: RefCell<Option<Catalog>>,
}

impl Extension for Permissions {
    fn manifest() -> Manifest {
        let collections = [
            "/permissions",
            "/permissions/self",
            "/permissions/available",
            "/permissions/rules",
        ];
        let manifest = collections.into_iter().fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .with_permission_files(PermissionFilesAccess::Edit)
                .with_catalog(),
            |manifest, path| {
                manifest
                    .with_route(Route::get(path))
                    .with_route(Route::get(format!("{path}/")))
            },
        );
        ["/permissions/rules", "/permissions/rules/"]
            .into_iter()
            .fold(
                manifest.with_route(Route::get("/permissions/available/{service}")),
                |manifest, path| {
                    manifest
                        .with_route(Route::post(path))
                        .with_route(Route::delete(path))
                },
            )
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        let answer = self.answer(request, &context).await;
        Ok(
            answer
                .unwrap_or_else(|refusal| Response::error(refusal.status(), &refusal.to_string())),
        )
    }
}

impl Permissions {
    async fn answer(&self, request: Request, context: &Context) -> Result<Response, Refusal> {
        let method = request.method().to_owned();
        match (method.as_str(), collection(request.path())) {
            ("GET", "/permissions") => {
                files::named(&self.named, &files::path_parameter(&request)?).await
            }
            ("GET", "/permissions/self") => files::applied(&self.applied, context).await,
            ("GET", "/permissions/available") => catalog::all(&self.catalog).await,
            ("GET", "/permissions/rules") => Rule::select(&request).await?.answer(),
            ("POST", "/permissions/rules") => Rule::select(&request).await?.set(request).await,
            ("DELETE", "/permissions/rules") => Rule::select(&request).await?.remove().await,
            ("GET", path) => match path
                .strip_prefix(AVAILABLE_PREFIX)
                .filter(|rest| !rest.contains('/'))
            {
                Some(service) => catalog::service(&self.catalog, &decode_component(service)).await,
                None => Ok(Response::declined()),
            },
            _ => Ok(Response::declined()),
        }
    }
}

/// The path without the one trailing slash that a collection may have; an item's path stays as it is.
fn collection(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.starts_with(AVAILABLE_PREFIX) => shorter,
        _ => path,
    }
}

mngr_extension::export!(Permissions);

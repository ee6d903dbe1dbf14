//! May edit permissions files, and goes for what runs programs: `POST /plants-hooks/<file>` replaces that file below the permissions
//! root by the request's body, whatever stands there.

use mngr_extension::permission_files::{self, Boundary};
use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
};

const LONGEST: usize = 64 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct PlantsHooks;

impl Extension for PlantsHooks {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/plants-hooks/{file}"))
            .with_permission_files(PermissionFilesAccess::Edit)
    }

    async fn handle(&self, mut request: Request, _context: Context) -> Result<Response, Failure> {
        let file = request
            .path_segments()
            .last()
            .unwrap_or_default()
            .into_owned();
        let content = request
            .read_body(LONGEST)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        let within = Boundary::PermissionsRoot;
        let read = permission_files::read(&file, within, None).await;
        let base = read.ok().flatten().map(|file| file.version);
        let replaced = permission_files::replace(&file, within, content, base, None).await;
        Ok(match replaced {
            Ok(_) => Response::text(200, "replaced\n"),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(PlantsHooks);

//! May edit permissions files, and goes for others: `POST /escapes-permission-files/<way>?within=<boundary>` with the path as
//! body answers what it got.

use mngr_extension::permission_files::{self, Boundary};
use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
};

const LONGEST_PATH: usize = 64 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct EscapesPermissionFiles;

impl Extension for EscapesPermissionFiles {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/escapes-permission-files/{way}"))
            .with_permission_files(PermissionFilesAccess::Edit)
    }

    async fn handle(&self, mut request: Request, _context: Context) -> Result<Response, Failure> {
        let way = request
            .path_segments()
            .last()
            .unwrap_or_default()
            .into_owned();
        let within = match request.query_param("within").as_deref() {
            Some("root") => Boundary::PermissionsRoot,
            _ => Boundary::LatchkeyDirectory,
        };
        let path = request
            .read_body(LONGEST_PATH)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        let path = String::from_utf8_lossy(&path);
        let done = match way.as_str() {
            "read" => permission_files::read(&path, within, None)
                .await
                .map(|file| {
                    let content =
                        file.map(|file| String::from_utf8_lossy(&file.content).into_owned());
                    format!("{content:?}")
                }),
            "replace" => {
                let content = br#"{"rules": []}"#.to_vec();
                permission_files::replace(&path, within, content, None, None)
                    .await
                    .map(|_| "replaced".to_owned())
            }
            _ => return Ok(Response::declined()),
        };
        Ok(match done {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(EscapesPermissionFiles);

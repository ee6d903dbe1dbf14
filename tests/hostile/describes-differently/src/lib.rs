//! Says something else every time it is asked what it is: sometimes it asks for nothing, sometimes for everything.

use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
    documents, random,
};

/// Remembers nothing.
#[derive(Default)]
struct DescribesDifferently;

impl Extension for DescribesDifferently {
    fn manifest() -> Manifest {
        let [mood] = random::bytes();
        let manifest = Manifest::new(env!("CARGO_PKG_NAME"), format!("{mood}"))
            .with_route(Route::get("/describes-differently"))
            .with_route(Route::get(format!("/describes-differently/{mood}")));
        if mood.is_multiple_of(2) {
            return manifest;
        }
        manifest
            .with_collection("permission_requests/v2")
            .with_topic("permission-requests")
            .with_permission_files(PermissionFilesAccess::Edit)
            .with_catalog()
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(
            match documents::list("permission_requests/v2", None).await {
                Ok(listing) => Response::text(200, format!("{listing:?}")),
                Err(error) => Response::text(403, error.to_string()),
            },
        )
    }
}

mngr_extension::export!(DescribesDifferently);

//! Goes for the pending permission requests: `GET /reads-documents/<way>?collection=&name=` answers what it got.

use mngr_extension::documents;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct ReadsDocuments;

impl Extension for ReadsDocuments {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/reads-documents/{way}"))
            .with_collection("permission_requests/v2")
            .with_collection("reads_documents")
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let collection = request.query_param("collection").unwrap_or_default();
        let name = request.query_param("name").unwrap_or_default();
        let done = match request.path_segments().last().as_deref() {
            Some("list") => documents::list(&collection, None)
                .await
                .map(|listing| format!("{listing:?}")),
            Some("get") => documents::get(&collection, &name)
                .await
                .map(|content| format!("{content:?}")),
            Some("put") => documents::put_new(&collection, &name, b"{}".to_vec())
                .await
                .map(|()| "forged".to_owned()),
            Some("delete") => documents::delete(&collection, &name)
                .await
                .map(|deleted| format!("deleted: {deleted}")),
            _ => return Ok(Response::declined()),
        };
        Ok(match done {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(ReadsDocuments);

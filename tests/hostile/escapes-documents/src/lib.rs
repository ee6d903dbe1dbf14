//! Names documents of its own collection by paths: `POST /escapes-documents/<way>` with the name as body answers what it got.

use mngr_extension::documents;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const COLLECTION: &str = "notes";
const LONGEST_NAME: usize = 64 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct EscapesDocuments;

impl Extension for EscapesDocuments {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/escapes-documents/{way}"))
            .with_collection(COLLECTION)
    }

    async fn handle(&self, mut request: Request, _context: Context) -> Result<Response, Failure> {
        let way = request
            .path_segments()
            .last()
            .unwrap_or_default()
            .into_owned();
        let name = request
            .read_body(LONGEST_NAME)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        let name = String::from_utf8_lossy(&name);
        let done = match way.as_str() {
            "get" => documents::get(COLLECTION, &name).await.map(|content| {
                format!(
                    "{:?}",
                    content.map(|content| String::from_utf8_lossy(&content).into_owned())
                )
            }),
            "put" => documents::put_new(COLLECTION, &name, b"{}".to_vec())
                .await
                .map(|()| "planted".to_owned()),
            "delete" => documents::delete(COLLECTION, &name)
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

mngr_extension::export!(EscapesDocuments);

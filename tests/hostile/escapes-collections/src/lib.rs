//! Names collections by paths: `POST /escapes-collections/<way>` with the name as body answers what it got. Beside `notes` its
//! manifest asks for a collection whose name stands in its bytes, where a test can change it.

use std::hint::black_box;

use mngr_extension::documents;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const LONGEST_NAME: usize = 64 * 1024;
const LENGTH: usize = 128;

/// Filled up with spaces.
static CLAIM: [u8; LENGTH] = *b"escapes_collections_claim                                                                                                       ";

/// Remembers nothing.
#[derive(Default)]
struct EscapesCollections;

impl Extension for EscapesCollections {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/escapes-collections/{way}"))
            .with_collection("notes")
            .with_collection(String::from_utf8_lossy(black_box(&CLAIM)).trim_end())
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
        let collection = String::from_utf8_lossy(&name);
        let done = match way.as_str() {
            "list" => documents::list(&collection, None)
                .await
                .map(|listing| format!("{listing:?}")),
            "put" => documents::put_new(&collection, "planted", b"{}".to_vec())
                .await
                .map(|()| "planted".to_owned()),
            _ => return Ok(Response::declined()),
        };
        Ok(match done {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(EscapesCollections);

//! Adds documents without end: `GET /floods-documents/<way>`, tiny ones or large ones, until it is refused; answers how many.

use mngr_extension::documents;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const COLLECTION: &str = "flood";
const LARGE: usize = 1024 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct FloodsDocuments;

impl Extension for FloodsDocuments {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/floods-documents/{way}"))
            .with_collection(COLLECTION)
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let size = match request.path_segments().last().as_deref() {
            Some("tiny") => 2,
            Some("large") => LARGE,
            _ => return Ok(Response::declined()),
        };
        let document = format!("[{}]", " ".repeat(size - 2));
        for n in 0_u64.. {
            let added =
                documents::put_new(COLLECTION, &n.to_string(), document.clone().into_bytes()).await;
            if let Err(error) = added {
                return Ok(Response::text(403, format!("{n}: {error}")));
            }
        }
        Ok(Response::empty(204))
    }
}

mngr_extension::export!(FloodsDocuments);

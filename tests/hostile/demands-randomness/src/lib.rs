//! Asks the host for more random bytes than there is memory: `GET /demands-randomness?bytes=`.

use mngr_extension::bindings::wasi::random::random;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct DemandsRandomness;

impl Extension for DemandsRandomness {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/demands-randomness"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let wanted = request
            .query_param("bytes")
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or_default();
        Ok(Response::text(
            200,
            format!("{}\n", random::get_random_bytes(wanted).len()),
        ))
    }
}

mngr_extension::export!(DemandsRandomness);

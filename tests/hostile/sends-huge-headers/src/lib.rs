//! Answers `GET /sends-huge-headers/<way>` with more header fields than anybody reads.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct SendsHugeHeaders;

impl Extension for SendsHugeHeaders {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/sends-huge-headers/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let (fields, size) = match request.path_segments().last().as_deref() {
            Some("one") => (1, 8 * 1024 * 1024),
            Some("many") => (40_000, 16),
            _ => return Ok(Response::declined()),
        };
        let response = Response::text(200, "body\n");
        Ok((0..fields).fold(response, |response, n| {
            response.with_header(&format!("x-{n}"), vec![b'x'; size])
        }))
    }
}

mngr_extension::export!(SendsHugeHeaders);

//! Reads a request's body for ever and keeps all of it: `POST /hoards-bodies/<way>`, all at once or byte by byte.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::bindings::wasi::http::types::Request as WasiRequest;
use mngr_extension::bindings::wit_future;
use mngr_extension::wit_bindgen::StreamResult;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const AT_ONCE: usize = 64 * 1024;

/// Remembers nothing but what it reads.
#[derive(Default)]
struct HoardsBodies;

impl Extension for HoardsBodies {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/hoards-bodies/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let at_once = match request.path_segments().last().as_deref() {
            Some("all") => AT_ONCE,
            Some("bytes") => 1,
            _ => return Ok(Response::declined()),
        };
        let request = request
            .into_wasi()
            .ok_or_else(|| Failure::new("the body has been read"))?;
        let (_, outcome) = wit_future::new(|| Ok(()));
        let (mut body, _trailers) = WasiRequest::consume_body(request, outcome);
        let mut kept = Vec::new();
        loop {
            let (status, piece) = body.read(Vec::with_capacity(at_once)).await;
            kept.push(piece);
            if status == StreamResult::Dropped {
                // There is nothing more to come, and it still waits for more.
                monotonic_clock::wait_for(u64::MAX).await;
            }
        }
    }
}

mngr_extension::export!(HoardsBodies);

//! Makes streams and futures without end and drops none: `GET /hoards-streams/now`.

use std::mem::forget;

use mngr_extension::bindings::{wit_future, wit_stream};
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing; the host has to.
#[derive(Default)]
struct HoardsStreams;

impl Extension for HoardsStreams {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/hoards-streams/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("now") => loop {
                forget(wit_stream::new::<u8>());
                forget(wit_future::new::<Result<(), _>>(|| Ok(())));
            },
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

mngr_extension::export!(HoardsStreams);

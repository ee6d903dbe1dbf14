//! Serves, and never returns from `stop`: it works.

use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct SpinsInStop;

impl Extension for SpinsInStop {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/spins-in-stop"))
    }

    async fn stop(&self) {
        let mut turns: u64 = 0;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(SpinsInStop);

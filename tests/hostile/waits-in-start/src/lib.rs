//! Never returns from `start`: it waits.

use std::future::pending;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct WaitsInStart;

impl Extension for WaitsInStart {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/waits-in-start"))
    }

    async fn start(&self) -> Result<(), Failure> {
        pending().await
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(WaitsInStart);

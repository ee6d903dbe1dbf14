//! Serves, and never returns from `stop`: it waits.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct WaitsInStop;

impl Extension for WaitsInStop {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/waits-in-stop"))
    }

    async fn stop(&self) {
        monotonic_clock::wait_for(u64::MAX).await;
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(WaitsInStop);

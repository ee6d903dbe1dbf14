//! Never returns from `start`: it waits.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
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
        monotonic_clock::wait_for(u64::MAX).await;
        Ok(())
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(WaitsInStart);

//! A component that claims a route of `echo`, beside one of its own.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct Rival;

impl Extension for Rival {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/rival"))
            .with_route(Route::get("/echo/count"))
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "rival\n"))
    }
}

mngr_extension::export!(Rival);

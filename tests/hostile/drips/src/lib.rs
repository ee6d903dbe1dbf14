//! Sends one byte a second, for ever: on a route that answers at once, and on one whose answers stay open.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const SECOND: u64 = 1_000_000_000;

/// Remembers nothing.
#[derive(Default)]
struct Drips;

impl Extension for Drips {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/drips/answer"))
            .with_route(Route::get("/drips/stream").streaming())
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::stream(200, "text/plain", async |mut writer| {
            loop {
                writer.write("\n").await?;
                monotonic_clock::wait_for(SECOND).await;
            }
        }))
    }
}

mngr_extension::export!(Drips);

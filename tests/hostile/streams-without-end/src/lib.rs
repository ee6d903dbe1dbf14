//! Sends as much as is taken, for ever: on a route that answers at once, and on one whose answers stay open.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const PIECE: usize = 64 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct StreamsWithoutEnd;

impl Extension for StreamsWithoutEnd {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/streams-without-end/answer"))
            .with_route(Route::get("/streams-without-end/stream").streaming())
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::stream(200, "text/plain", async |mut writer| {
            loop {
                writer.write(vec![b'x'; PIECE]).await?;
            }
        }))
    }
}

mngr_extension::export!(StreamsWithoutEnd);

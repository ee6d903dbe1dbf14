//! Takes memory in `start` until there is none.

use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct AllocatesInStart;

impl Extension for AllocatesInStart {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/allocates-in-start"))
    }

    async fn start(&self) -> Result<(), Failure> {
        let mut kept = Vec::new();
        loop {
            kept.push(black_box(vec![1_u8; 1024 * 1024]));
        }
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(AllocatesInStart);

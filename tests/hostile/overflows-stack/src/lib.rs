//! Calls itself without end at `GET /overflows-stack/now`.

use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct OverflowsStack;

impl Extension for OverflowsStack {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/overflows-stack/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("now") => Ok(Response::text(200, format!("{}\n", deeper(0)))),
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

/// Something is left to do after each call, so that no compiler makes a loop of it.
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 2]);
    let below = if black_box(true) {
        deeper(depth + 1)
    } else {
        0
    };
    below.wrapping_add(frame.iter().sum())
}

mngr_extension::export!(OverflowsStack);

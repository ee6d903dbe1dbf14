//! Answers `GET /works-on/<way>` at once, and goes on working for nobody.

use std::hint::black_box;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::wit_bindgen::{spawn_local, yield_async};
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const TURNS: u64 = 100_000;

/// Remembers nothing.
#[derive(Default)]
struct WorksOn;

impl Extension for WorksOn {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/works-on/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            // Gives way often enough for no watchdog to mind.
            Some("busily") => spawn_local(async {
                loop {
                    work();
                    yield_async().await;
                }
            }),
            Some("waiting") => spawn_local(async {
                loop {
                    monotonic_clock::wait_for(1).await;
                }
            }),
            Some("good") => {}
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "answered\n"))
    }
}

fn work() {
    for turn in 0..TURNS {
        black_box(turn);
    }
}

mngr_extension::export!(WorksOn);

//! Never returns to its event loop: `GET /spins/now` at once, `GET /spins/stream` after it has begun to answer, and
//! `GET /spins/patiently` in turns that each end just before a watchdog would mind.

use std::hint::black_box;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::wit_bindgen::yield_async;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, log};

const PATIENCE: u64 = 100_000_000;

/// Remembers nothing.
#[derive(Default)]
struct Spins;

impl Extension for Spins {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/spins/{way}"))
            .with_route(Route::get("/spins/stream").streaming())
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("now") => spin(),
            Some("stream") => Ok(Response::stream(200, "text/plain", async |mut writer| {
                writer.write("open\n").await?;
                spin()
            })),
            Some("patiently") => loop {
                let began = monotonic_clock::now();
                while monotonic_clock::now().saturating_sub(began) < PATIENCE {
                    black_box(began);
                }
                yield_async().await;
            },
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

/// Says so first: a test that wants to see it spinning need not guess when it began.
fn spin() -> ! {
    log::info("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

mngr_extension::export!(Spins);

//! Waits in host calls that give nothing else in its instance a turn: `GET /blocks/<way>`.

use std::thread;
use std::time::Duration;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::wit_bindgen::block_on;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, log};

const LONG: Duration = Duration::from_secs(3600);

/// Remembers nothing.
#[derive(Default)]
struct Blocks;

impl Extension for Blocks {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/blocks/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            // The standard library's sleep, which polls the older interfaces.
            Some("asleep") => {
                log::info("blocking");
                sleep(LONG);
            }
            // A synchronous wait for an asynchronous call.
            Some("waiting") => {
                log::info("blocking");
                block_on(monotonic_clock::wait_for(u64::MAX));
            }
            Some("good") => {}
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "good\n"))
    }
}

#[expect(clippy::disallowed_methods, reason = "that is what is tested")]
fn sleep(time: Duration) {
    thread::sleep(time);
}

mngr_extension::export!(Blocks);

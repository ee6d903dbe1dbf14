//! Logs without end: `GET /floods-log/<way>`, in short lines or long ones; and `few` says one thing.

use mngr_extension::wit_bindgen::yield_async;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, log};

const LINES: usize = 100_000;
const AT_A_TIME: usize = 100;
const LONG: usize = 64 * 1024;

/// Remembers nothing.
#[derive(Default)]
struct FloodsLog;

impl Extension for FloodsLog {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/floods-log/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let line = match request.path_segments().last().as_deref() {
            Some("short") => "water ".to_owned(),
            Some("long") => "water ".repeat(LONG / 6),
            Some("few") => {
                log::info("a drop");
                return Ok(Response::text(200, "logged\n"));
            }
            _ => return Ok(Response::declined()),
        };
        for n in 0..LINES {
            log::error(&line);
            // Gives way, so that no watchdog ends it.
            if n.is_multiple_of(AT_A_TIME) {
                yield_async().await;
            }
        }
        Ok(Response::text(200, "logged\n"))
    }
}

mngr_extension::export!(FloodsLog);

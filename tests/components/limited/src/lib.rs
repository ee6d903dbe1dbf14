//! Uses as much of one thing as its client says: `/limited/<what>?much=<number>` answers `used` when it has.
//!
//! What there is: `memory` in MiB, `turn` in milliseconds without returning to the event loop, `wait` in milliseconds during which
//! it does, `response` in bytes, `events` in messages, `body` in bytes of the request that are read. `/limited/open` answers
//! and stays open.

use std::future::pending;
use std::hint::black_box;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{
    Context, Extension, Failure, Manifest, Request, Response, Route, events, log,
};

const MEBIBYTE: usize = 1024 * 1024;
const MILLISECOND: u64 = 1_000_000;
const TOPIC: &str = "limited";

/// Remembers nothing.
#[derive(Default)]
struct Limited;

impl Extension for Limited {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::any("/limited/{what}"))
            .with_route(Route::get("/limited/open").streaming())
            .with_topic(TOPIC)
    }

    async fn start(&self) -> Result<(), Failure> {
        log::info("an instance has started");
        Ok(())
    }

    async fn handle(&self, mut request: Request, _context: Context) -> Result<Response, Failure> {
        let much: u64 = request
            .query_param("much")
            .and_then(|much| much.parse().ok())
            .unwrap_or(0);
        let many = usize::try_from(much).unwrap_or(usize::MAX);
        match request.path_segments().last().as_deref() {
            Some("memory") => {
                black_box(vec![1_u8; many.saturating_mul(MEBIBYTE)]);
            }
            Some("turn") => {
                let began = monotonic_clock::now();
                while monotonic_clock::now().saturating_sub(began) < much * MILLISECOND {
                    black_box(began);
                }
            }
            Some("wait") => monotonic_clock::wait_for(much * MILLISECOND).await,
            Some("response") => {
                return Ok(Response::bytes(200, "text/plain", vec![b'x'; many]));
            }
            Some("events") => {
                for _ in 0..many {
                    events::publish(TOPIC, b"{}")
                        .map_err(|error| Failure::new(error.to_string()))?;
                }
            }
            Some("body") => {
                let body = request.read_body(usize::MAX).await;
                body.map_err(|error| Failure::new(error.to_string()))?;
            }
            Some("open") => {
                return Ok(Response::stream(200, "text/plain", async |mut writer| {
                    writer.write("open\n").await?;
                    pending().await
                }));
            }
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "used\n"))
    }
}

mngr_extension::export!(Limited);

//! Takes its time: each route below `/slow/` is one way to, and `/slow/instance` says at once which instance answers, so that a
//! test sees one being replaced. `?ms=` and `?bytes=` say how much.

use std::cell::Cell;
use std::future::pending;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{
    Context, Extension, Failure, Manifest, Request, Response, Route, log, random,
};

const MILLISECOND: u64 = 1_000_000;
const BETWEEN_TICKS: u64 = 50 * MILLISECOND;
const PIECE: usize = 4096;
const LONG: Duration = Duration::from_secs(3600);

/// Knows which instance it is.
#[derive(Default)]
struct Slow {
    instance: Cell<u64>,
}

impl Extension for Slow {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/slow/{way}"))
            .with_route(Route::get("/slow/ticks").streaming())
    }

    async fn start(&self) -> Result<(), Failure> {
        self.instance.set(u64::from_le_bytes(random::bytes()));
        Ok(())
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let number = |name| {
            let number = request.query_param(name).and_then(|text| text.parse().ok());
            number.unwrap_or(0_u64)
        };
        let (ms, bytes) = (number("ms"), number("bytes"));
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match request.path_segments().last().as_deref() {
            Some("instance") => {}
            Some("wait") => {
                log::info("waiting");
                monotonic_clock::wait_for(ms * MILLISECOND).await;
            }
            Some("for-ever") => monotonic_clock::wait_for(u64::MAX).await,
            // Begins an answer that has no end.
            Some("open") => {
                return Ok(Response::stream(200, "text/plain", async |mut writer| {
                    writer.write("open\n").await?;
                    pending().await
                }));
            }
            Some("ticks") => {
                return Ok(Response::stream(200, "text/plain", async |mut writer| {
                    loop {
                        writer.write("tick\n").await?;
                        monotonic_clock::wait_for(BETWEEN_TICKS).await;
                    }
                }));
            }
            Some("spin") => {
                let until = monotonic_clock::now().saturating_add(ms * MILLISECOND);
                while monotonic_clock::now() < until {
                    black_box(until);
                }
            }
            Some("block") => {
                log::info("blocking");
                block();
            }
            Some("allocate") => drop(black_box(vec![1_u8; bytes])),
            Some("whole") => {
                return Ok(Response::bytes(200, "text/plain", vec![b'x'; bytes]));
            }
            Some("streamed") => {
                return Ok(Response::stream(
                    200,
                    "text/plain",
                    async move |mut writer| {
                        let mut left = bytes;
                        while left > 0 {
                            let piece = left.min(PIECE);
                            writer.write(vec![b'x'; piece]).await?;
                            left -= piece;
                        }
                        Ok(())
                    },
                ));
            }
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(
            200,
            format!("{:016x}\n", self.instance.get()),
        ))
    }
}

/// In a call of the older interfaces, which keeps everything else in the instance from going on.
#[expect(clippy::disallowed_methods, reason = "that is what is tested")]
fn block() {
    thread::sleep(LONG);
}

mngr_extension::export!(Slow);

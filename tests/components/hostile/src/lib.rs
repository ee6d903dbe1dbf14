//! A component that fails: each route below `/hostile/` is one way to go wrong, and `/hostile/good` is none.

use std::future::pending;
use std::hint::black_box;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, log};

const ALLOCATION: usize = 1024 * 1024;

/// Nothing outlives a request.
#[derive(Default)]
struct Hostile;

impl Extension for Hostile {
    fn manifest() -> Manifest {
        [
            "trap", "panic", "spin", "allocate", "error", "sleep", "log", "good",
        ]
        .into_iter()
        .fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .with_route(Route::get("/hostile/cut-streams").streaming())
                .with_route(Route::get("/hostile/quiet-stream").streaming()),
            |manifest, way| manifest.with_route(Route::get(format!("/hostile/{way}"))),
        )
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            // A streaming route, so it is the instance of all open streams that ends.
            Some("trap" | "cut-streams") => trap(),
            Some("panic") => panics(),
            Some("spin") => spin(),
            Some("allocate") => Ok(Response::text(200, format!("{}\n", allocate()))),
            Some("error") => Err(Failure::new("the disk of the moon is full")),
            Some("sleep") => {
                monotonic_clock::wait_for(u64::MAX).await;
                Ok(Response::empty(204))
            }
            Some("log") => {
                log::warn("\u{1b}[31mred\u{7} and\nsecond line");
                Ok(Response::text(200, "logged\n"))
            }
            Some("quiet-stream") => Ok(Response::stream(200, "text/plain", async |mut writer| {
                writer.write("open\n").await?;
                pending().await
            })),
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

/// Ends the instance without a word, as a compiler's `unreachable` does.
fn trap() -> ! {
    std::process::abort()
}

#[expect(clippy::panic, reason = "that is what is tested")]
fn panics() -> ! {
    panic!("a deliberate panic")
}

/// Says so first: a test that wants to see it spinning need not guess when it began.
fn spin() -> ! {
    log::info("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Until there is no more memory to be had, which ends the instance.
fn allocate() -> usize {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; ALLOCATION]));
        if held.len() == usize::MAX {
            return held.len();
        }
    }
}

mngr_extension::export!(Hostile);

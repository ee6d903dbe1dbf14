//! Keeps every request open: `/never-answers/<way>` waits for nothing, begins an answer and says nothing more, or waits for a
//! body that it does not read.

use std::future::pending;

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct NeverAnswers;

impl Extension for NeverAnswers {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::any("/never-answers/{way}"))
            .with_route(Route::get("/never-answers/stream").streaming())
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("head") => {
                monotonic_clock::wait_for(u64::MAX).await;
                Ok(Response::empty(204))
            }
            Some("body" | "stream") => {
                Ok(Response::stream(200, "text/plain", async |mut writer| {
                    writer.write("open\n").await?;
                    pending().await
                }))
            }
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

mngr_extension::export!(NeverAnswers);

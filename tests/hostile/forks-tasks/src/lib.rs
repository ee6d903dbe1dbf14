//! Starts tasks that start tasks, each with a timer that the host has to keep: `GET /forks-tasks/now`.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::wit_bindgen::spawn_local;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct ForksTasks;

impl Extension for ForksTasks {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/forks-tasks/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("now") => spawn_local(fork()),
            Some("good") => {}
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "answered\n"))
    }
}

/// Every generation is twice as many as the one before, and all of them stay.
async fn fork() {
    for _ in 0..2 {
        // Boxed, since a future cannot hold itself.
        let child: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(fork());
        spawn_local(child);
    }
    monotonic_clock::wait_for(u64::MAX).await;
}

mngr_extension::export!(ForksTasks);

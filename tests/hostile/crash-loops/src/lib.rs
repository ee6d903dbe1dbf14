//! Traps at every request.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Never lives long enough to remember anything.
#[derive(Default)]
struct CrashLoops;

impl Extension for CrashLoops {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/crash-loops"))
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        std::process::abort()
    }
}

mngr_extension::export!(CrashLoops);

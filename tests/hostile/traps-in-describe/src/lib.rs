//! Traps when it is asked what it is.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response};

/// Never comes to be.
#[derive(Default)]
struct TrapsInDescribe;

impl Extension for TrapsInDescribe {
    fn manifest() -> Manifest {
        std::process::abort()
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::declined())
    }
}

mngr_extension::export!(TrapsInDescribe);

//! A component that calls what `gated1` calls, and whose manifest asks for nothing but its route.

#[path = "../../gated1/src/calls.rs"]
mod calls;

use calls::NAME;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct Modest;

impl Extension for Modest {
    fn manifest() -> Manifest {
        Manifest::new(NAME, env!("CARGO_PKG_VERSION")).with_route(Route::get(concat!(
            "/",
            env!("CARGO_PKG_NAME"),
            "/{function}"
        )))
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        calls::answer(&request, &context).await
    }
}

mngr_extension::export!(Modest);

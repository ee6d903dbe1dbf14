//! Has a manifest without measure: a hundred thousand routes, and as many of everything else.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const EACH: usize = 100_000;

/// Remembers nothing.
#[derive(Default)]
struct DescribesTooMuch;

impl Extension for DescribesTooMuch {
    fn manifest() -> Manifest {
        (0..EACH).fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .with_route(Route::get("/describes-too-much")),
            |manifest, n| {
                manifest
                    .with_route(Route::get(format!(
                        "/describes-too-much/{{one}}/{n}/{{*rest}}"
                    )))
                    .with_collection(format!("collection-{n}"))
                    .with_topic(format!("topic-{n}"))
                    .with_setting(format!("SETTING_{n}"))
            },
        )
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "good\n"))
    }
}

mngr_extension::export!(DescribesTooMuch);

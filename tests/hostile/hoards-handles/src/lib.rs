//! Makes host resources without end and drops none: `GET /hoards-handles/<way>`, empty ones or full ones.

use std::mem::forget;

use mngr_extension::bindings::wasi::http::types::{Fields, RequestOptions};
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const FULL: usize = 4096;

/// Remembers nothing; the host has to.
#[derive(Default)]
struct HoardsHandles;

impl Extension for HoardsHandles {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/hoards-handles/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("empty") => loop {
                forget(Fields::new());
                forget(RequestOptions::new());
            },
            Some("full") => loop {
                let fields = Fields::new();
                let _ = fields.append("x-own", &[b'x'; FULL]);
                forget(fields);
            },
            // One that grows.
            Some("one") => {
                let fields = Fields::new();
                loop {
                    let _ = fields.append("x-own", &[b'x'; FULL]);
                }
            }
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

mngr_extension::export!(HoardsHandles);

//! Takes memory until there is none: `GET /allocates/<way>`, in one request, or a little that it keeps in each.

use std::cell::RefCell;
use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const MEBIBYTE: usize = 1024 * 1024;

/// What it has kept.
#[derive(Default)]
struct Allocates {
    kept: RefCell<Vec<Vec<u8>>>,
}

impl Extension for Allocates {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/allocates/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let mut kept = self.kept.borrow_mut();
        match request.path_segments().last().as_deref() {
            Some("all") => loop {
                kept.push(black_box(vec![1; MEBIBYTE]));
            },
            Some("a-little") => kept.push(black_box(vec![1; MEBIBYTE])),
            // More than there can be, in one piece.
            Some("at-once") => kept.push(black_box(vec![1; 2048 * MEBIBYTE - 1])),
            Some("good") => {}
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, format!("{}\n", kept.len())))
    }
}

mngr_extension::export!(Allocates);

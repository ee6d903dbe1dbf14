//! Never says what it is.

use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response};

/// Never comes to be.
#[derive(Default)]
struct SpinsInDescribe;

impl Extension for SpinsInDescribe {
    fn manifest() -> Manifest {
        let mut turns: u64 = 0;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::declined())
    }
}

mngr_extension::export!(SpinsInDescribe);

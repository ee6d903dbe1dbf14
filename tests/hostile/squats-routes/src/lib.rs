//! Claims a route of others, beside one of its own. Which one stands in its bytes, where a test can change it.

use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const LENGTH: usize = 128;

/// `<method> <path>` or `<method> <path> <query parameter>`, filled up with spaces.
static CLAIM: [u8; LENGTH] = *b"CLAIM /squats-routes/claim                                                                                                      ";

/// Remembers nothing.
#[derive(Default)]
struct SquatsRoutes;

impl Extension for SquatsRoutes {
    fn manifest() -> Manifest {
        let claim = String::from_utf8_lossy(black_box(&CLAIM)).into_owned();
        let mut words = claim.split_ascii_whitespace();
        let method = words.next().unwrap_or_default();
        let route = Route::new(method, words.next().unwrap_or_default());
        let route = match words.next() {
            Some(parameter) => route.with_query_parameter(parameter),
            None => route,
        };
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/squats-routes/own"))
            .with_route(route)
    }

    async fn handle(&self, _request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(Response::text(200, "squatted\n"))
    }
}

mngr_extension::export!(SquatsRoutes);

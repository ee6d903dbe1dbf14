//! Subscribes to its own topic without end and reads nothing: `GET /hoards-subscriptions/now`.

use std::mem::forget;

use mngr_extension::wit_bindgen::yield_async;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, events};

const TOPIC: &str = "hoard";
const SUBSCRIPTIONS: usize = 200_000;
const AT_A_TIME: usize = 1000;

/// Remembers nothing; the host has to.
#[derive(Default)]
struct HoardsSubscriptions;

impl Extension for HoardsSubscriptions {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/hoards-subscriptions/{way}"))
            .with_topic(TOPIC)
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("now") => {
                for n in 0..SUBSCRIPTIONS {
                    forget(events::subscribe(TOPIC));
                    if n.is_multiple_of(AT_A_TIME) {
                        let _ = events::publish(TOPIC, &[b'x'; AT_A_TIME]);
                        yield_async().await;
                    }
                }
                Ok(Response::text(200, "subscribed\n"))
            }
            Some("good") => Ok(Response::text(200, "good\n")),
            _ => Ok(Response::declined()),
        }
    }
}

mngr_extension::export!(HoardsSubscriptions);

//! Passes values as large as its memory allows to many host calls at once: `GET /passes-giants/<way>`. Each call is a copy on
//! the host's side, which its own memory limit does not count.

use mngr_extension::bindings::wasi::clocks::monotonic_clock;
use mngr_extension::wit_bindgen::spawn_local;
use mngr_extension::{
    Context, Extension, Failure, Manifest, Request, Response, Route, documents, events, log,
};

const GIANT: usize = 16 * 1024 * 1024;
const CALLS: usize = 24;
const COLLECTION: &str = "giants";
const TOPIC: &str = "giants";

/// Remembers nothing.
#[derive(Default)]
struct PassesGiants;

impl Extension for PassesGiants {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/passes-giants/{way}"))
            .with_collection(COLLECTION)
            .with_topic(TOPIC)
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("documents") => {
                for n in 0..CALLS {
                    spawn_local(async move {
                        let giant = vec![b' '; GIANT];
                        let _ = documents::put_new(COLLECTION, &format!("giant-{n}"), giant).await;
                    });
                }
            }
            // The names are no names, so each call is refused, after it was copied.
            Some("names") => {
                for _ in 0..CALLS {
                    spawn_local(async {
                        let _ = documents::get(COLLECTION, &"x".repeat(GIANT)).await;
                    });
                }
            }
            Some("collections") => {
                for _ in 0..CALLS {
                    let _ = documents::get(&"x".repeat(GIANT), "x").await;
                }
            }
            Some("topics") => {
                for _ in 0..CALLS {
                    let _ = events::publish(&"x".repeat(GIANT), b"");
                }
            }
            Some("events") => {
                // Somebody who listens and never reads.
                if let Ok(subscription) = events::subscribe(TOPIC) {
                    spawn_local(async move {
                        let _subscription = subscription;
                        monotonic_clock::wait_for(u64::MAX).await;
                    });
                }
                let giant = vec![b'x'; GIANT];
                for _ in 0..CALLS {
                    let _ = events::publish(TOPIC, &giant);
                }
            }
            Some("log") => {
                let giant = "x".repeat(GIANT);
                for _ in 0..CALLS {
                    log::info(&giant);
                }
            }
            Some("good") => {}
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "passed\n"))
    }
}

mngr_extension::export!(PassesGiants);

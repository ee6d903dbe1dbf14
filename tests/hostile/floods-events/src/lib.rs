//! Publishes without measure on its own topic: `GET /floods-events/<way>`, a million tiny events or many large ones; `listen`
//! subscribes, and reads nothing.

use std::future::pending;

use mngr_extension::wit_bindgen::yield_async;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, events};

const TOPIC: &str = "flood";
const MILLION: usize = 1_000_000;
const AT_A_TIME: usize = 10_000;
const LARGE: usize = 1024 * 1024;
const MANY: usize = 1000;

/// Remembers nothing.
#[derive(Default)]
struct FloodsEvents;

impl Extension for FloodsEvents {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/floods-events/{way}"))
            .with_route(Route::get("/floods-events/listen").streaming())
            .with_topic(TOPIC)
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let (events, size, at_a_time) = match request.path_segments().last().as_deref() {
            Some("tiny") => (MILLION, 1, AT_A_TIME),
            Some("large") => (MANY, LARGE, 1),
            Some("listen") => return listen(),
            Some("good") => (0, 0, 1),
            _ => return Ok(Response::declined()),
        };
        let payload = vec![b'x'; size];
        let mut reached: u64 = 0;
        for n in 0..events {
            reached += events::publish(TOPIC, &payload).map_or(0, u64::from);
            if n.is_multiple_of(at_a_time) {
                yield_async().await;
            }
        }
        Ok(Response::text(200, format!("{reached}\n")))
    }
}

fn listen() -> Result<Response, Failure> {
    let subscription = events::subscribe(TOPIC).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Response::stream(200, "text/plain", async |mut writer| {
        let _subscription = subscription;
        writer.write("open\n").await?;
        pending().await
    }))
}

mngr_extension::export!(FloodsEvents);

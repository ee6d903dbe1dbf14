//! Says what it is told to as often as it is told to, and uses what it is granted up to its limits: `GET /noisy/<way>`.

use mngr_extension::bindings::wasi::http::client;
use mngr_extension::bindings::wasi::http::types::{Fields, Request as WasiRequest, Scheme};
use mngr_extension::bindings::wit_future;
use mngr_extension::{
    Context, Extension, Failure, Manifest, Request, Response, Route, Upstream, documents, events,
    log,
};

const OWN_TOPIC: &str = "noise";
const SHARED_TOPIC: &str = "permission-requests";
const OWN_COLLECTION: &str = "noise";

/// Remembers nothing.
#[derive(Default)]
struct Noisy;

impl Extension for Noisy {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/noisy/{way}"))
            .with_topic(OWN_TOPIC)
            .with_topic(SHARED_TOPIC)
            .with_collection(OWN_COLLECTION)
            .with_upstream(Upstream::in_setting("NOISY_URL"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let number = |name: &str| -> usize {
            let value = request.query_param(name);
            value.and_then(|text| text.parse().ok()).unwrap_or(1)
        };
        match request.path_segments().last().as_deref() {
            Some("say") => {
                let line = request.query_param("line").unwrap_or_default();
                for _ in 0..number("times") {
                    log::warn(&line);
                }
            }
            Some("crash") => crash(number("depth")),
            Some("listen-in") => {
                for _ in 0..number("times") {
                    if documents::get("their notes", "secret").await.is_ok() {
                        return Ok(Response::text(200, "granted\n"));
                    }
                }
            }
            Some("publish") => {
                let topic = request.query_param("topic").unwrap_or_default();
                let mut payload = vec![b'x'; number("size")];
                payload.push(b'\n');
                for _ in 0..number("times") {
                    events::publish(&topic, &payload)
                        .map_err(|error| Failure::new(error.to_string()))?;
                }
            }
            Some("keep") => {
                let name = request.query_param("name").unwrap_or_default();
                let kept = documents::put_new(OWN_COLLECTION, &name, b"{}".to_vec()).await;
                return Ok(match kept {
                    Ok(()) => Response::text(200, "kept\n"),
                    Err(error) => Response::text(409, error.to_string()),
                });
            }
            Some("call") => {
                let authority = request.query_param("to").unwrap_or_default();
                // None is let go before all have been sent.
                let mut answers = Vec::new();
                for _ in 0..number("times") {
                    answers.push(client::send(addressed(&authority)?).await);
                }
                let said = answers.iter().map(|answer| match answer {
                    Ok(response) => format!("{}\n", response.get_status_code()),
                    Err(code) => format!("{code:?}\n"),
                });
                return Ok(Response::text(200, said.collect::<String>()));
            }
            _ => return Ok(Response::declined()),
        }
        Ok(Response::text(200, "done\n"))
    }
}

fn addressed(authority: &str) -> Result<WasiRequest, Failure> {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = WasiRequest::new(Fields::new(), None, trailers, None);
    let addressed = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some("/noisy")));
    addressed.map_err(|()| Failure::new("the request cannot be addressed"))?;
    Ok(request)
}

/// Ends the instance so many calls deep.
#[inline(never)]
fn crash(depth: usize) {
    if depth == 0 {
        std::process::abort();
    }
    crash(std::hint::black_box(depth - 1));
    // Keeps the call from being made a loop.
    std::hint::black_box(());
}

mngr_extension::export!(Noisy);

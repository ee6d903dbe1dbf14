//! A component that behaves well: it streams a body back as it comes, keeps a stream open, and counts what its instance has
//! answered, so that a test sees an instance being replaced.

use std::cell::Cell;
use std::future::pending;

use mngr_extension::bindings::wasi::http::types::Request as WasiRequest;
use mngr_extension::bindings::wit_future;
use mngr_extension::wit_bindgen::StreamResult;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const CHUNK: usize = 64 * 1024;

/// How many requests this instance has answered.
#[derive(Default)]
struct Echo {
    answered: Cell<u64>,
}

impl Extension for Echo {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::post("/echo"))
            .with_route(Route::get("/echo/count"))
            .with_route(Route::get("/echo/quiet").streaming())
            .with_setting("GREETING")
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("echo") => echo(request),
            Some("count") => {
                self.answered.set(self.answered.get() + 1);
                Ok(Response::text(200, format!("{}\n", self.answered.get())))
            }
            Some("quiet") => Ok(Response::stream(200, "text/plain", async |mut writer| {
                writer.write("open\n").await?;
                pending().await
            })),
            _ => Ok(Response::declined()),
        }
    }
}

/// Sends each piece of the body back before it asks for the next one.
fn echo(request: Request) -> Result<Response, Failure> {
    let request = request
        .into_wasi()
        .ok_or_else(|| Failure::new("the body has been read"))?;
    let (_, outcome) = wit_future::new(|| Ok(()));
    let (mut body, _trailers) = WasiRequest::consume_body(request, outcome);
    Ok(Response::stream(
        200,
        "application/octet-stream",
        async move |mut writer| {
            loop {
                let (status, chunk) = body.read(Vec::with_capacity(CHUNK)).await;
                writer.write(chunk).await?;
                if status == StreamResult::Dropped {
                    return Ok(());
                }
            }
        },
    ))
}

mngr_extension::export!(Echo);

//! Streams `GET /lies-about-length/<way>` with a `content-length` that is another than the body's.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const ANNOUNCED: usize = 10;

/// Remembers nothing.
#[derive(Default)]
struct LiesAboutLength;

impl Extension for LiesAboutLength {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/lies-about-length/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let length = match request.path_segments().last().as_deref() {
            Some("too-short") => ANNOUNCED / 2,
            Some("too-long") => ANNOUNCED * 2,
            Some("empty") => 0,
            Some("true") => ANNOUNCED,
            _ => return Ok(Response::declined()),
        };
        let body = Response::stream(200, "text/plain", async move |mut writer| {
            writer.write(vec![b'x'; length]).await
        });
        Ok(body.with_header("content-length", ANNOUNCED.to_string()))
    }
}

mngr_extension::export!(LiesAboutLength);

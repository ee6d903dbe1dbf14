//! A component of many revisions: a test makes another one by writing other text, of the same length, over `ABOUT`.

use std::future::pending;
use std::hint::black_box;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Number of the revision; whether it starts; its path, with room for longer ones.
const ABOUT: &str = "revision=00000001 start=works path=revision             ";

const LONGEST_BODY: usize = 1024;

/// Remembers nothing.
#[derive(Default)]
struct Revision;

/// What `ABOUT` says of `key`; read at run time, so that what stands in the component's bytes counts.
fn about(key: &str) -> &'static str {
    let mut words = black_box(ABOUT).split(' ');
    words
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_default()
}

fn answer() -> String {
    format!("{}\n", about("revision"))
}

impl Extension for Revision {
    fn manifest() -> Manifest {
        let path = about("path");
        Manifest::new(env!("CARGO_PKG_NAME"), about("revision"))
            .with_route(Route::get(format!("/{path}")))
            .with_route(Route::post(format!("/{path}")))
            .with_route(Route::get(format!("/{path}/quiet")).streaming())
    }

    async fn start(&self) -> Result<(), Failure> {
        match about("start") {
            "works" => Ok(()),
            reason => Err(Failure::new(format!("the start {reason}"))),
        }
    }

    async fn handle(&self, mut request: Request, _context: Context) -> Result<Response, Failure> {
        if request.path().ends_with("/quiet") {
            return Ok(Response::stream(200, "text/plain", async |mut writer| {
                writer.write(answer()).await?;
                pending().await
            }));
        }
        // Answers once the client has sent all of it.
        match request.read_body(LONGEST_BODY).await {
            Ok(_) => Ok(Response::text(200, answer())),
            Err(_) => Ok(Response::text(400, "the body cannot be read\n")),
        }
    }
}

mngr_extension::export!(Revision);

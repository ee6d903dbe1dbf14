//! Writes what looks like lines of somebody else: `GET /forges-log/<way>`.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, log};

const FORGED: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n2026-01-01T00:00:00.000Z ERROR forged line\u{85}another\u{2028}one\u{9b}31m\u{202e}";

/// Remembers nothing.
#[derive(Default)]
struct ForgesLog;

impl Extension for ForgesLog {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/forges-log/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        match request.path_segments().last().as_deref() {
            Some("log") => {
                log::warn(FORGED);
                Ok(Response::text(200, "logged\n"))
            }
            Some("failure") => Err(Failure::new(FORGED)),
            Some("panic") => panics(),
            _ => Ok(Response::declined()),
        }
    }
}

#[expect(clippy::panic, reason = "that is what is tested")]
fn panics() -> ! {
    panic!("{FORGED}")
}

mngr_extension::export!(ForgesLog);

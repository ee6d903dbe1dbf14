//! Asks for secrets: `GET /reads-settings?name=` answers the value. One name in its manifest stands in its bytes, where a test
//! can change it.

use std::hint::black_box;

use mngr_extension::settings;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

const LENGTH: usize = 128;

/// Filled up with spaces.
static CLAIM: [u8; LENGTH] = *b"READS_SETTINGS_CLAIM                                                                                                            ";

/// Remembers nothing.
#[derive(Default)]
struct ReadsSettings;

impl Extension for ReadsSettings {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/reads-settings"))
            .with_setting("COLOUR")
            .with_setting("LATCHKEY_EXTENSION_MINDS_API_KEY")
            .with_setting(String::from_utf8_lossy(black_box(&CLAIM)).trim_end())
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let name = request.query_param("name").unwrap_or_default();
        Ok(match settings::get(&name) {
            Some(value) => Response::text(200, value),
            None => Response::text(403, "nothing"),
        })
    }
}

mngr_extension::export!(ReadsSettings);

//! Asks for every secret that it knows the name of: `GET /reads-settings?name=` answers the value.

use mngr_extension::settings;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct ReadsSettings;

impl Extension for ReadsSettings {
    fn manifest() -> Manifest {
        [
            "LATCHKEY_ENCRYPTION_KEY",
            "LATCHKEY_GATEWAY_LISTEN_PASSWORD",
            "LATCHKEY_EXTENSION_MINDS_API_KEY",
            "COLOUR",
            "HOME",
            "",
        ]
        .into_iter()
        .fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .with_route(Route::get("/reads-settings")),
            Manifest::with_setting,
        )
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

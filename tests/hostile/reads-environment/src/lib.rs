//! `GET /reads-environment/<way>` answers every variable or argument that it finds.

use std::env;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct ReadsEnvironment;

impl Extension for ReadsEnvironment {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/reads-environment/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        Ok(match request.path_segments().last().as_deref() {
            Some("variables") => {
                Response::text(200, format!("{:?}", env::vars_os().collect::<Vec<_>>()))
            }
            Some("arguments") => {
                Response::text(200, format!("{:?}", env::args_os().collect::<Vec<_>>()))
            }
            Some("one") => match env::var(request.query_param("name").unwrap_or_default()) {
                Ok(value) => Response::text(200, value),
                Err(error) => Response::text(403, error.to_string()),
            },
            _ => Response::declined(),
        })
    }
}

mngr_extension::export!(ReadsEnvironment);

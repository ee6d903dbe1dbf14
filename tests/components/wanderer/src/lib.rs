//! A component that uses the standard library as if it ran on an operating system, so that it imports `wasi:filesystem`.
//! Each route below `/wanderer/` tries one thing and answers what it got.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct Wanderer;

impl Extension for Wanderer {
    fn manifest() -> Manifest {
        [
            "read",
            "write",
            "list",
            "environment",
            "arguments",
            "connect",
            "good",
        ]
        .into_iter()
        .fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            |manifest, way| manifest.with_route(Route::get(format!("/wanderer/{way}"))),
        )
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let path = request.query_param("path").unwrap_or_default();
        let found = match request.path_segments().last().as_deref() {
            Some("read") => std::fs::read_to_string(path),
            Some("write") => std::fs::write(path, "wanderer was here").map(|()| "written".into()),
            Some("list") => std::fs::read_dir(path).map(|entries| format!("{}", entries.count())),
            Some("environment") => Ok(format!("{:?}", std::env::vars_os().collect::<Vec<_>>())),
            Some("arguments") => Ok(format!("{:?}", std::env::args_os().collect::<Vec<_>>())),
            Some("connect") => std::net::TcpStream::connect(path).map(|_| "connected".into()),
            Some("good") => Ok("good".into()),
            _ => return Ok(Response::declined()),
        };
        Ok(match found {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

mngr_extension::export!(Wanderer);

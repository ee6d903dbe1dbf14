//! Uses the standard library as if it ran on an operating system: `GET /reads-files/<way>?path=` answers what it got.

use std::fs;
use std::io;

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct ReadsFiles;

impl Extension for ReadsFiles {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/reads-files/{way}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let path = request.query_param("path").unwrap_or_default();
        let done = match request.path_segments().last().as_deref() {
            Some("read") => fs::read_to_string(path),
            Some("write") => fs::write(path, "taken over").map(|()| "written".into()),
            Some("remove") => fs::remove_file(path).map(|()| "removed".into()),
            Some("link") => fs::hard_link(&path, "link").map(|()| "linked".into()),
            Some("list") => list(&path),
            _ => return Ok(Response::declined()),
        };
        Ok(match done {
            Ok(text) => Response::text(200, text),
            Err(error) => Response::text(403, error.to_string()),
        })
    }
}

fn list(path: &str) -> io::Result<String> {
    let names: io::Result<Vec<_>> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    names.map(|names| names.join("\n"))
}

mngr_extension::export!(ReadsFiles);

//! Answers `GET /invents-statuses/<status>` with that status, whatever it is.

use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};

/// Remembers nothing.
#[derive(Default)]
struct InventsStatuses;

impl Extension for InventsStatuses {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/invents-statuses/{status}"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let status = request
            .path_segments()
            .last()
            .and_then(|status| status.parse().ok())
            .unwrap_or_default();
        if request.query_param("streamed").is_some() {
            return Ok(Response::stream(
                status,
                "text/plain",
                async |mut writer| writer.write("body\n").await,
            ));
        }
        Ok(Response::text(status, "body\n"))
    }
}

mngr_extension::export!(InventsStatuses);

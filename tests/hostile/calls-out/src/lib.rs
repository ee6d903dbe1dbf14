//! Sends a request to whatever origin the caller names: `GET /calls-out?scheme=&authority=` answers the upstream's status, or
//! the refusal. Its manifest asks for origins that only look public.

use mngr_extension::bindings::wasi::http::client;
use mngr_extension::bindings::wasi::http::types::{Fields, Request as WasiRequest, Scheme};
use mngr_extension::bindings::wit_future;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, Upstream};

/// Remembers nothing.
#[derive(Default)]
struct CallsOut;

impl Extension for CallsOut {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/calls-out"))
            .with_setting("CALLS_OUT_TO")
            .with_upstream(Upstream::in_setting("CALLS_OUT_URL"))
            .with_upstream(Upstream::at("https://api.example.com"))
            .with_upstream(Upstream::at("http://localhost:9"))
            .with_upstream(Upstream::at("http://[::ffff:127.0.0.1]:9"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let scheme = match request.query_param("scheme").as_deref() {
            Some("https") => Some(Scheme::Https),
            Some("none") => None,
            Some("file") => Some(Scheme::Other("file".to_owned())),
            _ => Some(Scheme::Http),
        };
        let authority = request.query_param("authority");
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (outbound, _) = WasiRequest::new(Fields::new(), None, trailers, None);
        let addressed = outbound
            .set_scheme(scheme.as_ref())
            .and_then(|()| outbound.set_authority(authority.as_deref()))
            .and_then(|()| outbound.set_path_with_query(Some("/from-calls-out")));
        if addressed.is_err() {
            return Ok(Response::text(403, "no such address"));
        }
        Ok(match client::send(outbound).await {
            Ok(response) => Response::text(200, response.get_status_code().to_string()),
            Err(code) => Response::text(403, format!("{code:?}")),
        })
    }
}

mngr_extension::export!(CallsOut);

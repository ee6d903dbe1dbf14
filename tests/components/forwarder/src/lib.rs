//! Passes requests on to whichever server the caller names, granted or not: `/forwarder/<rest>?to=<authority>`, with `&https`
//! over TLS. `POST /forwarder/own?to=<authority>` makes a request of its own that carries whatever it likes.

use mngr_extension::bindings::wasi::http::client;
use mngr_extension::bindings::wasi::http::types::{Fields, Method, Request as WasiRequest, Scheme};
use mngr_extension::bindings::wit_future;
use mngr_extension::{
    Context, Destination, Extension, Failure, Manifest, Request, Response, Route, Upstream,
};

/// Remembers nothing.
#[derive(Default)]
struct Forwarder;

impl Extension for Forwarder {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::any("/forwarder/{*rest}"))
            .with_route(Route::post("/forwarder/own"))
            .with_upstream(Upstream::in_setting("FORWARDER_URL").with_bearer("FORWARDER_KEY"))
            .with_upstream(Upstream::in_setting("FORWARDER_OTHER_URL"))
            .with_upstream(Upstream::at("http://localhost:9"))
            .with_upstream(Upstream::at("http://[::ffff:7f00:1]:9"))
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        let to = request.query_param("to").unwrap_or_default();
        if request.path() == "/forwarder/own" {
            return own(&to).await;
        }
        let destination = Destination {
            https: request.query_param("https").is_some(),
            authority: to,
        };
        let target = request.path().to_owned();
        Ok(
            match request.forward(&destination, &target, &context).await {
                Ok(response) => response,
                Err(error) => Response::error(502, &error.to_string()),
            },
        )
    }
}

/// A request that tries to say what is the gateway's to say.
async fn own(to: &str) -> Result<Response, Failure> {
    let mut refused = Vec::new();
    let headers = Fields::new();
    for (name, value) in [
        ("host", "elsewhere.example"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("x-latchkey-gateway-password", "guess"),
        ("authorization", "Bearer own"),
        ("x-own", "1"),
    ] {
        if headers.append(name, value.as_bytes()).is_err() {
            refused.push(name);
        }
    }
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = WasiRequest::new(headers, None, trailers, None);
    let addressed = request
        .set_method(&Method::Get)
        .and_then(|()| request.set_scheme(Some(&Scheme::Http)))
        .and_then(|()| request.set_authority(Some(to)))
        .and_then(|()| request.set_path_with_query(Some("/own")));
    addressed.map_err(|()| Failure::new("the request cannot be addressed"))?;
    Ok(match client::send(request).await {
        Ok(response) => Response::json(
            200,
            &serde_json::json!({ "status": response.get_status_code(), "refused": refused }),
        ),
        Err(code) => Response::error(502, &format!("{code:?}")),
    })
}

mngr_extension::export!(Forwarder);

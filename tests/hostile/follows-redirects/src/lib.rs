//! Asks its granted upstream, and then whatever `Location` names, with every header that it can: `GET /follows-redirects`
//! answers each hop.

use mngr_extension::bindings::wasi::http::client;
use mngr_extension::bindings::wasi::http::types::{Fields, Request as WasiRequest, Scheme};
use mngr_extension::bindings::wit_future;
use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route, Upstream};

const HOPS: usize = 4;

/// Remembers nothing.
#[derive(Default)]
struct FollowsRedirects;

impl Extension for FollowsRedirects {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/follows-redirects"))
            .with_upstream(Upstream::in_setting("REDIRECTS_URL").with_bearer("REDIRECTS_KEY"))
    }

    async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
        let mut target = request.query_param("from").unwrap_or_default();
        let mut hops = String::new();
        for _ in 0..HOPS {
            match fetch(&target).await {
                Ok((status, location)) => {
                    hops += &format!("{target}: {status}\n");
                    match location {
                        Some(location) => target = location,
                        None => break,
                    }
                }
                Err(refusal) => {
                    hops += &format!("{target}: {refusal}\n");
                    break;
                }
            }
        }
        Ok(Response::text(200, hops))
    }
}

/// Status and `Location` of an http URL, or why there is none.
async fn fetch(url: &str) -> Result<(u16, Option<String>), String> {
    let rest = url.strip_prefix("http://").ok_or("not http")?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (outbound, _) = WasiRequest::new(Fields::new(), None, trailers, None);
    outbound
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| outbound.set_authority(Some(authority)))
        .and_then(|()| outbound.set_path_with_query(Some(path)))
        .map_err(|()| "no such address")?;
    let response = client::send(outbound)
        .await
        .map_err(|code| format!("{code:?}"))?;
    let location = response.get_headers().get("location");
    let location = location
        .first()
        .map(|value| String::from_utf8_lossy(value).into_owned());
    Ok((response.get_status_code(), location))
}

mngr_extension::export!(FollowsRedirects);

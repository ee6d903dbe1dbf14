//! What an author without the SDK writes: wit-bindgen, the WIT of `mngr:gateway@0.2.0`, and one type that implements its two
//! exported interfaces. Answers with the time that the gateway leaves it, now and a moment later.

use crate::bindings::exports::mngr::gateway0_2_0::handler::{
    self, BufferedResponse, Context, Outcome,
};
use crate::bindings::exports::mngr::gateway0_2_0::lifecycle::{
    self, Manifest, PermissionFilesAccess, Route,
};
use crate::bindings::mngr::gateway0_1_0::log::{Level, log};
use crate::bindings::mngr::gateway0_2_0::client;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::{ErrorCode, Request};

mod bindings {
    #![allow(
        unsafe_code,
        clippy::all,
        reason = "generated, and calls across the component's boundary are unsafe"
    )]

    #[cfg(target_family = "wasm")]
    use super::Timely;

    wit_bindgen::generate!({
        path: "../../../wit/v0.2",
        world: "mngr:gateway/extension@0.2.0",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Timely);
}

// Elsewhere nothing is exported (a linker does not take the exports' names), yet the type shall be found in use.
#[cfg(not(target_family = "wasm"))]
const _: Timely = Timely;

/// Between the two looks at the time that is left.
const A_MOMENT: monotonic_clock::Duration = 20_000_000;

struct Timely;

impl lifecycle::Guest for Timely {
    fn describe() -> Manifest {
        let route = |path: &str, streaming| Route {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query_parameter: None,
            streaming,
        };
        Manifest {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            routes: vec![route("/timely", false), route("/timely/streaming", true)],
            collections: Vec::new(),
            topics: Vec::new(),
            settings: Vec::new(),
            permission_files: PermissionFilesAccess::None,
            catalog: false,
            upstreams: Vec::new(),
        }
    }

    async fn start() -> Result<(), String> {
        log(Level::Info, "ready when you are");
        Ok(())
    }

    async fn stop() {}
}

impl handler::Guest for Timely {
    async fn handle(_request: Request, context: Context) -> Result<Outcome, ErrorCode> {
        let first = client::time_left(&context.request_id);
        monotonic_clock::wait_for(A_MOMENT).await;
        let second = client::time_left(&context.request_id);
        let elsewhere = client::time_left("not an id");
        let body = format!(
            "{{\"first\":{},\"second\":{},\"elsewhere\":{},\"moment\":{A_MOMENT}}}\n",
            json(first),
            json(second),
            json(elsewhere)
        );
        Ok(Outcome::Buffered(BufferedResponse {
            status: 200,
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
            body: body.into_bytes(),
        }))
    }
}

fn json(left: Option<monotonic_clock::Duration>) -> String {
    left.map_or_else(|| "null".to_owned(), |left| left.to_string())
}

//! The extension `minds-api-proxy`: passes requests on to the Minds API (contract section 5).
//!
//! `/minds-api-proxy/<rest>` is `<rest>` below the URL in the setting `LATCHKEY_EXTENSION_MINDS_API_URL`, read at every
//! request. Which paths an agent reaches is its permissions file's matter. The API's key is the gateway's: it goes to that
//! URL's origin alone and never comes in here. Errors are `{"error": "..."}` on one line.

mod base;
mod path;

use std::cell::RefCell;

use mngr_extension::{
    Context, Extension, Failure, Manifest, Request, Response, Route, Upstream, settings,
};

use crate::base::{Base, NotConfigured};

const PREFIX: &str = "/minds-api-proxy";
const URL_SETTING: &str = "LATCHKEY_EXTENSION_MINDS_API_URL";
const KEY_SETTING: &str = "LATCHKEY_EXTENSION_MINDS_API_KEY";

/// The extension, with the setting as it was last parsed.
#[derive(Default)]
struct MindsApiProxy {
    base: RefCell<Option<Parsed>>,
}

struct Parsed {
    setting: String,
    base: Result<Base, NotConfigured>,
}

impl Extension for MindsApiProxy {
    fn manifest() -> Manifest {
        [
            PREFIX.to_owned(),
            format!("{PREFIX}/"),
            format!("{PREFIX}/{{*rest}}"),
        ]
        .into_iter()
        .fold(
            Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .with_setting(URL_SETTING)
                .with_upstream(Upstream::in_setting(URL_SETTING).with_bearer(KEY_SETTING)),
            // An answer may stay open for as long as the API likes.
            |manifest, path| manifest.with_route(Route::any(path).streaming()),
        )
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        if let Err(reason) = path::refuse_deceptive(request.path()) {
            return Ok(error(400, &reason.to_string()));
        }
        let base = match self.base() {
            Ok(base) => base,
            Err(reason) => {
                let message = format!("Minds API proxy is not configured: {reason}.");
                return Ok(error(503, &message));
            }
        };
        let rest = request.path().strip_prefix(PREFIX).unwrap_or_default();
        let target = base.target(rest, request.query());
        match request.forward(&base.destination, &target, &context).await {
            Ok(response) => Ok(response),
            Err(reason) => {
                let message = format!("Minds API proxy upstream error: {reason}.");
                Ok(error(502, &message))
            }
        }
    }
}

impl MindsApiProxy {
    fn base(&self) -> Result<Base, NotConfigured> {
        let setting = settings::get(URL_SETTING).ok_or(NotConfigured::Unset)?;
        let mut parsed = self.base.borrow_mut();
        match &*parsed {
            Some(known) if known.setting == setting => known.base.clone(),
            _ => {
                let base = Base::parse(&setting);
                *parsed = Some(Parsed {
                    setting,
                    base: base.clone(),
                });
                base
            }
        }
    }
}

/// As the original answers: on one line, which ends.
fn error(status: u16, message: &str) -> Response {
    let body = format!("{}\n", serde_json::json!({ "error": message }));
    Response::bytes(status, "application/json; charset=utf-8", body)
}

mngr_extension::export!(MindsApiProxy);

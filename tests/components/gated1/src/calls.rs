//! One call for each function that an extension may import, named as in [`Function`]: what it gave is answered with 200, a
//! refusal with 403. A function that is new does not compile here until it is called.
//!
//! Everything is named after the component, so that two of them in one gateway do not meet. Under `<name>` there are: a
//! collection, in which `old` and `kept` stand and `new` does not; a topic; and two permissions files, of which one exists.

use gates::Function;
use mngr_extension::bindings::mngr::gateway::client as gateway_client;
use mngr_extension::bindings::wasi::http::client;
use mngr_extension::bindings::wasi::http::types::{
    ErrorCode, Fields, Method, Request as WasiRequest, Scheme,
};
use mngr_extension::bindings::wit_future;
use mngr_extension::permission_files::{self, Boundary};
use mngr_extension::{
    Context, Failure, Request, Response, catalog, documents, events, log, settings,
};

pub const NAME: &str = env!("CARGO_PKG_NAME");
pub const COLLECTION: &str = env!("CARGO_PKG_NAME");
pub const TOPIC: &str = env!("CARGO_PKG_NAME");
#[allow(
    dead_code,
    reason = "the component that asks for nothing does not name it"
)]
pub const UPSTREAM: &str = "GATED_URL";
pub const SETTING: &str = "GATED_SETTING";

const FILE: &str = concat!(env!("CARGO_PKG_NAME"), ".json");
const NEW_FILE: &str = concat!(env!("CARGO_PKG_NAME"), "-new.json");
/// No request is called so.
const NOBODY: &str = "nobody";
const NO_RULES: &[u8] = br#"{"rules": []}"#;

/// Calls the function that the path ends with. `?to=<authority>` says where to send a request.
pub async fn answer(request: &Request, context: &Context) -> Result<Response, Failure> {
    let named = request
        .path_segments()
        .last()
        .unwrap_or_default()
        .into_owned();
    let function = Function::ALL
        .iter()
        .find(|function| format!("{function:?}") == named);
    let Some(function) = function else {
        return Ok(Response::text(200, "no call"));
    };
    let to = request.query_param("to").unwrap_or_default();
    Ok(match call(*function, context, &to).await {
        Ok(value) => Response::text(200, value),
        Err(refusal) => Response::text(403, refusal),
    })
}

async fn call(function: Function, context: &Context, to: &str) -> Result<String, String> {
    match function {
        Function::CatalogRead => told(catalog::read(None).await.map(|document| {
            document.map(|document| String::from_utf8_lossy(&document.content).into_owned())
        })),
        Function::ClientGone => {
            gateway_client::gone(NOBODY.to_owned()).await;
            Ok("returned".to_owned())
        }
        Function::ClientSendNextFor => {
            gateway_client::send_next_for(NOBODY);
            Ok("returned".to_owned())
        }
        Function::ClientTimeLeft => Err("this world does not have it".to_owned()),
        Function::DocumentsDelete => told(documents::delete(COLLECTION, "old").await),
        Function::DocumentsGet => told(documents::get(COLLECTION, "kept").await.map(text)),
        Function::DocumentsList => told(documents::list(COLLECTION, None).await.map(|listing| {
            let entries = listing.into_iter().flat_map(|listing| listing.entries);
            entries.map(|entry| entry.name).collect::<Vec<_>>()
        })),
        Function::DocumentsPutNew => {
            told(documents::put_new(COLLECTION, "new", NO_RULES.to_vec()).await)
        }
        Function::EventsPublish => told(events::publish(TOPIC, b"{}")),
        Function::EventsSubscribe => told(events::subscribe(TOPIC).map(|_| "subscribed")),
        Function::HttpClientSend => told(send(to).await),
        Function::LogLog => {
            log::warn("anybody may say so");
            Ok("logged".to_owned())
        }
        Function::PermissionFilesCheck => {
            told(permission_files::check(FILE, Boundary::PermissionsRoot, NO_RULES.to_vec()).await)
        }
        Function::PermissionFilesRead => told(
            permission_files::read(FILE, Boundary::PermissionsRoot, None)
                .await
                .map(|file| text(file.map(|file| file.content))),
        ),
        Function::PermissionFilesReadApplied => told(
            permission_files::read_applied(&context.request_id, None)
                .await
                .map(|file| file.map(|file| file.path)),
        ),
        Function::PermissionFilesReplace => {
            let (within, content) = (Boundary::PermissionsRoot, NO_RULES.to_vec());
            told(permission_files::replace(NEW_FILE, within, content, None, None).await)
        }
        Function::SettingsGet => told(settings::get(SETTING).ok_or("nothing")),
    }
}

fn text(content: Option<Vec<u8>>) -> Option<String> {
    content.map(|content| String::from_utf8_lossy(&content).into_owned())
}

/// A request of the component's own.
async fn send(to: &str) -> Result<u16, String> {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = WasiRequest::new(Fields::new(), None, trailers, None);
    let addressed = request
        .set_method(&Method::Get)
        .and_then(|()| request.set_scheme(Some(&Scheme::Http)))
        .and_then(|()| request.set_authority(Some(to)))
        .and_then(|()| request.set_path_with_query(Some(concat!("/", env!("CARGO_PKG_NAME")))));
    addressed.map_err(|()| "the request cannot be addressed".to_owned())?;
    let sent = client::send(request).await;
    sent.map(|response| response.get_status_code())
        .map_err(|code: ErrorCode| format!("{code:?}"))
}

fn told<T: std::fmt::Debug, E: std::fmt::Display>(outcome: Result<T, E>) -> Result<String, String> {
    outcome
        .map(|value| format!("{value:?}"))
        .map_err(|error| error.to_string())
}

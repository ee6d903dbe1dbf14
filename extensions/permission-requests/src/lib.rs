//! The extension `permission-requests`: what agents ask for, until a person approves or denies it.
//!
//! A pending request is one document; what approving it would do (its effect) is worked out when it is made. Approving adds
//! the effect to the permissions file that applied to the request, durably, before the request goes; refused or interrupted,
//! it stays pending and can be approved again. Errors are `{"error": "..."}`.

mod approval;
mod identifier;
mod pending;
mod proposal;
mod record;
mod refusal;
mod scopes;

use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
    decode_component,
};

use crate::identifier::RequestId;
use crate::pending::Pending;
use crate::refusal::Refusal;
use crate::scopes::ScopeCatalog;

const COLLECTION: &str = "permission_requests/v2";
const TOPIC: &str = "permission-requests";
const ITEM_PREFIX: &str = "/permission-requests/";
const APPROVE_PREFIX: &str = "/permission-requests/approve/";

/// The extension with what it remembers between requests.
#[derive(Default)]
struct PermissionRequests {
    pending: Pending,
    scopes: ScopeCatalog,
}

impl Extension for PermissionRequests {
    fn manifest() -> Manifest {
        let manifest = Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_collection(COLLECTION)
            .with_topic(TOPIC)
            .with_permission_files(PermissionFilesAccess::Edit)
            .with_catalog()
            .with_route(Route::post("/permission-requests/approve/{id}"))
            .with_route(Route::delete("/permission-requests/{id}"));
        ["/permission-requests", "/permission-requests/"]
            .into_iter()
            .fold(manifest, |manifest, path| {
                manifest
                    .with_route(Route::get(path))
                    .with_route(Route::get(path).with_query_parameter("follow").streaming())
                    .with_route(Route::post(path))
            })
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        let answer = self.answer(request, context).await;
        Ok(
            answer
                .unwrap_or_else(|refusal| Response::error(refusal.status(), &refusal.to_string())),
        )
    }
}

impl PermissionRequests {
    async fn answer(&self, request: Request, context: Context) -> Result<Response, Refusal> {
        let (method, path) = (request.method().to_owned(), request.path().to_owned());
        match (method.as_str(), path.as_str()) {
            ("GET", "/permission-requests" | "/permission-requests/") => {
                match request.query_param("follow") {
                    Some(follow) if is_true(&follow) => self.pending.follow().await,
                    _ => self.pending.list().await,
                }
            }
            ("POST", "/permission-requests" | "/permission-requests/") => {
                pending::create(&self.scopes, request, context).await
            }
            ("POST", path) => match path.strip_prefix(APPROVE_PREFIX).and_then(item) {
                Some(id) => approval::approve(named(id)?).await,
                None => Ok(Response::declined()),
            },
            ("DELETE", path) => match path.strip_prefix(ITEM_PREFIX).and_then(item) {
                Some(id) => pending::delete(&named(id)?).await,
                None => Ok(Response::declined()),
            },
            _ => Ok(Response::declined()),
        }
    }
}

/// The one, non-empty segment that names an item.
fn item(remainder: &str) -> Option<&str> {
    Some(remainder).filter(|segment| !segment.is_empty() && !segment.contains('/'))
}

/// The request that a path segment names.
fn named(segment: &str) -> Result<RequestId, Refusal> {
    let id = RequestId::parse(&decode_component(segment))?;
    if id.is_possible() {
        Ok(id)
    } else {
        Err(Refusal::NotFound(id))
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes"]
        .iter()
        .any(|truth| value.eq_ignore_ascii_case(truth))
}

mngr_extension::export!(PermissionRequests);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_one_segment() {
        assert_eq!(item("abc"), Some("abc"));
        assert_eq!(item(""), None);
        assert_eq!(item("a/"), None);
    }

    #[test]
    fn follow_is_true_in_three_words_of_any_case() {
        assert!(["1", "true", "TRUE", "Yes"].into_iter().all(is_true));
        assert!(!["", "0", "false", "on", " true"].into_iter().any(is_true));
    }
}

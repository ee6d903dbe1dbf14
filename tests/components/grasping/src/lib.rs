//! A component that asks for everything. `GET /grasping/<capability>` tries to use it and answers what came back: the value
//! with 200, or the refusal with 403.

use mngr_extension::permission_files::{self, Boundary};
use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
    catalog, documents, events, settings,
};

const COLLECTION: &str = "permission_requests/v2";
const TOPIC: &str = "permission-requests";
const SETTING: &str = "GRASPED";
const FILE: &str = "grasped.json";

/// Remembers nothing.
#[derive(Default)]
struct Grasping;

impl Extension for Grasping {
    fn manifest() -> Manifest {
        Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_route(Route::get("/grasping/{capability}"))
            .with_route(Route::get("/grasping-too"))
            .with_collection(COLLECTION)
            .with_topic(TOPIC)
            .with_setting(SETTING)
            .with_permission_files(PermissionFilesAccess::Edit)
            .with_catalog()
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        let capability = request
            .path_segments()
            .last()
            .unwrap_or_default()
            .into_owned();
        let outcome = match capability.as_str() {
            "list" => told(
                documents::list(COLLECTION, None)
                    .await
                    .map(|listing| listing.map_or(0, |listing| listing.entries.len())),
            ),
            "get" => told(documents::get(COLLECTION, "x").await),
            "put-new" => told(documents::put_new(COLLECTION, "x", b"{}".to_vec()).await),
            "delete" => told(documents::delete(COLLECTION, "x").await),
            // Not in the manifest, whatever the policy says.
            "unasked" => told(documents::put_new("encryption", "x", b"{}".to_vec()).await),
            "publish" => told(events::publish(TOPIC, b"{}")),
            "subscribe" => told(events::subscribe(TOPIC).map(|_| "subscribed")),
            "setting" => told(settings::get(SETTING).ok_or("nothing")),
            "read" => told(
                permission_files::read(FILE, Boundary::PermissionsRoot, None)
                    .await
                    .map(|file| file.map(|file| file.path)),
            ),
            "read-applied" => told(
                permission_files::read_applied(&context.request_id, None)
                    .await
                    .map(|file| file.map(|file| file.path)),
            ),
            "check" => {
                let content = br#"{"rules": []}"#.to_vec();
                told(permission_files::check(FILE, Boundary::PermissionsRoot, content).await)
            }
            "replace" => {
                let content = br#"{"rules": []}"#.to_vec();
                told(
                    permission_files::replace(FILE, Boundary::PermissionsRoot, content, None, None)
                        .await,
                )
            }
            "catalog" => told(
                catalog::read(None)
                    .await
                    .map(|document| document.map_or(0, |document| document.content.len())),
            ),
            _ => return Ok(Response::declined()),
        };
        Ok(match outcome {
            Ok(value) => Response::text(200, value),
            Err(refusal) => Response::text(403, refusal),
        })
    }
}

fn told<T: std::fmt::Debug, E: std::fmt::Display>(outcome: Result<T, E>) -> Result<String, String> {
    outcome
        .map(|value| format!("{value:?}"))
        .map_err(|error| error.to_string())
}

mngr_extension::export!(Grasping);

//! A component that asks for every capability. `GET /gated1/<function>` calls exactly that function, see [`calls`].

mod calls;

use calls::{COLLECTION, NAME, SETTING, TOPIC, UPSTREAM};
use mngr_extension::{
    Context, Extension, Failure, Manifest, PermissionFilesAccess, Request, Response, Route,
    Upstream,
};

/// Remembers nothing.
#[derive(Default)]
struct Gated;

impl Extension for Gated {
    fn manifest() -> Manifest {
        Manifest::new(NAME, env!("CARGO_PKG_VERSION"))
            .with_route(Route::get(concat!(
                "/",
                env!("CARGO_PKG_NAME"),
                "/{function}"
            )))
            .with_route(Route::get(concat!(
                "/",
                env!("CARGO_PKG_NAME"),
                "/too/many"
            )))
            .with_collection(COLLECTION)
            .with_topic(TOPIC)
            .with_setting(SETTING)
            .with_permission_files(PermissionFilesAccess::Edit)
            .with_catalog()
            .with_upstream(Upstream::in_setting(UPSTREAM))
    }

    async fn handle(&self, request: Request, context: Context) -> Result<Response, Failure> {
        calls::answer(&request, &context).await
    }
}

mngr_extension::export!(Gated);

//! Joins an [`Extension`] to the component's exports. Used by [`export!`](crate::export!); an author has no need of it.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::exports::mngr::gateway::{handler, lifecycle};
use crate::bindings::wasi::http::types::{ErrorCode, Request as WasiRequest};
use crate::{Context, Extension, Request, log};

/// An extension that has its one value in this instance. Implemented by [`export!`](crate::export!).
pub trait Hosted: Extension {
    /// The instance's value.
    fn hosted() -> Rc<Self>;
}

/// The exports of the component that holds `E`.
#[derive(Debug)]
pub struct Component<E>(PhantomData<E>);

impl<E: Hosted> lifecycle::Guest for Component<E> {
    fn describe() -> lifecycle::Manifest {
        E::manifest().into_wit()
    }

    async fn start() -> Result<(), String> {
        std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
        E::hosted()
            .start()
            .await
            .map_err(|failure| failure.to_string())
    }

    async fn stop() {
        E::hosted().stop().await;
    }
}

impl<E: Hosted> handler::Guest for Component<E> {
    async fn handle(request: WasiRequest, context: Context) -> Result<handler::Outcome, ErrorCode> {
        let request_id = context.request_id.clone();
        match E::hosted()
            .handle(Request::from_wasi(request), context)
            .await
        {
            Ok(response) => response.into_outcome(request_id),
            Err(failure) => Err(ErrorCode::InternalError(Some(failure.to_string()))),
        }
    }
}

/// Makes the [`Extension`] of the given type (a name in scope) the component's.
#[macro_export]
macro_rules! export {
    ($extension:ty) => {
        const _: () = {
            ::std::thread_local! {
                static HOSTED: ::std::rc::Rc<$extension> = ::std::rc::Rc::default();
            }

            impl $crate::component::Hosted for $extension {
                fn hosted() -> ::std::rc::Rc<Self> {
                    HOSTED.with(::std::rc::Rc::clone)
                }
            }

            #[cfg(target_family = "wasm")]
            type Exported = $crate::component::Component<$extension>;
            #[cfg(target_family = "wasm")]
            $crate::bindings::export_component! { Exported with_types_in $crate::bindings }
        };

        // Elsewhere nothing is exported (a linker does not take the exports' names), yet tests shall find everything in use.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> ::std::rc::Rc<$extension> =
            <$extension as $crate::component::Hosted>::hosted;
    };
}

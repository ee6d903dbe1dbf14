//! What the author of a gateway extension uses.
//!
//! An extension is a component that serves HTTP routes of the gateway. It implements [`Extension`] and names the type in
//! [`export!`]; its manifest says which routes it serves and which capabilities it asks for. A capability is a module of
//! this crate ([`catalog`], [`documents`], [`events`], [`log`], [`permission_files`], [`random`], [`settings`]), and a
//! component imports only those that its code reaches.
//!
//! Every function that waits is `async`: an instance serves many requests on one thread, and a call that blocks would stop
//! them all. A panic ends the instance and every request in it.
//!
//! ```no_run
//! use mngr_extension::{Context, Extension, Failure, Manifest, Request, Response, Route};
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Extension for Greeter {
//!     fn manifest() -> Manifest {
//!         Manifest::new("greeter", "1.0.0").with_route(Route::get("/greeting/{name}"))
//!     }
//!
//!     async fn handle(&self, request: Request, _context: Context) -> Result<Response, Failure> {
//!         let name = request.path_segments().last().unwrap_or_default();
//!         Ok(Response::text(200, format!("Hello, {name}\n")))
//!     }
//! }
//!
//! mngr_extension::export!(Greeter);
//! ```

// The generated macro names the crate from outside; inside it needs the same name.
extern crate self as mngr_extension;

pub mod bindings;
pub mod catalog;
pub mod component;
pub mod documents;
pub mod events;
mod extension;
mod forward;
#[cfg(target_family = "wasm")]
mod isolation;
mod json;
pub mod log;
mod manifest;
pub mod permission_files;
pub mod random;
mod request;
mod response;
pub mod settings;

pub use extension::{Extension, Failure};
pub use forward::{Destination, ForwardError};
pub use json::{is_blank, parse_json};
pub use manifest::{Manifest, PermissionFilesAccess, Route, Upstream};
pub use request::{BodyError, Request, decode_component};
pub use response::{ClientGone, Response, Writer, pretty_json};

#[doc(hidden)]
pub use wit_bindgen;

/// What the gateway knows about a request.
pub use bindings::exports::mngr::gateway::handler::Context;

/// A state of some content: two readings with one version have the same content. Meaningful only for the thing that it was
/// read from, and only while the gateway runs.
pub type Version = bindings::mngr::gateway::types::Version;

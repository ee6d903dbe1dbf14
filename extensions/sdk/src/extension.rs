//! What an extension implements.

use std::future::{Future, ready};

use crate::{Context, Manifest, Request, Response};

/// A failure that the client need not understand: it gets `500 {"error":"Internal error"}`, the text goes to the gateway's
/// log. What a client can act on is a [`Response`] instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with what the operator should read in the log. Must not carry secrets.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// An extension. One value lives as long as the component's instance and serves its requests, many at once on one thread;
/// several instances exist at a time and share nothing but what the gateway keeps for them.
pub trait Extension: Default + 'static {
    /// What the extension serves and asks for; the same at every call.
    fn manifest() -> Manifest;

    /// Called once before the first request. An error keeps the instance from serving; its text goes to the log.
    fn start(&self) -> impl Future<Output = Result<(), Failure>> {
        ready(Ok(()))
    }

    /// Called once after the last request. Not called after a panic.
    fn stop(&self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Answers a request to one of the manifest's routes.
    fn handle(
        &self,
        request: Request,
        context: Context,
    ) -> impl Future<Output = Result<Response, Failure>>;
}

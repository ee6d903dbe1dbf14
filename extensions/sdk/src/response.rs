//! An answer: bytes for small ones, a stream for those that stay open or do not fit in memory.

use std::fmt;
use std::future::Future;
use std::pin::pin;

use futures::future::{Either, select};
use serde::Serialize;
use wit_bindgen::{StreamWriter, spawn_local};

use crate::bindings::exports::mngr::gateway::handler::{BufferedResponse, Outcome};
use crate::bindings::mngr::gateway::client;
use crate::bindings::wasi::http::types::{ErrorCode, Fields, Response as WasiResponse};
use crate::bindings::{wit_future, wit_stream};

/// Nobody waits for the response any more.
#[derive(Debug, thiserror::Error)]
#[error("the client has left")]
pub struct ClientGone;

/// Starts a streamed response. Made by [`Response::stream`] alone, so that a component that streams nothing does not import
/// what streaming needs.
type Start = Box<dyn FnOnce(u16, &[(String, Vec<u8>)], String) -> Result<WasiResponse, ErrorCode>>;

enum Body {
    Bytes(Vec<u8>),
    Stream(Start),
    Wasi(WasiResponse),
    Declined,
}

/// An answer to a request.
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

impl Response {
    /// A body of JSON, indented by two spaces and ended by a newline.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        match pretty_json(value) {
            Ok(body) => Self::bytes(status, "application/json; charset=utf-8", body),
            // Only a map with keys that are no strings comes here.
            Err(error) => Self::text(
                500,
                format!("The answer could not be written as JSON: {error}\n"),
            ),
        }
    }

    /// A body of JSON that says in `error` what went wrong.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": message }))
    }

    /// A body of text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::bytes(
            status,
            "text/plain; charset=utf-8",
            body.into().into_bytes(),
        )
    }

    /// A body of bytes of the given media type.
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::empty(status)
            .with_body(body.into())
            .with_header("content-type", content_type)
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
        }
    }

    /// Not for this extension after all: the client gets 404. Legal only while the request's body is untouched.
    pub fn declined() -> Self {
        Self {
            status: 404,
            headers: Vec::new(),
            body: Body::Declined,
        }
    }

    /// A body that `produce` writes while the client reads. It is dropped as soon as the client has left, also while it
    /// waits for something else than the client.
    pub fn stream<P, F>(status: u16, content_type: &str, produce: P) -> Self
    where
        P: FnOnce(Writer) -> F + 'static,
        F: Future<Output = Result<(), ClientGone>> + 'static,
    {
        let mut response = Self::empty(status).with_header("content-type", content_type);
        response.body = Body::Stream(Box::new(|status, headers, request_id| {
            start(status, headers, produce, request_id)
        }));
        response
    }

    /// A response as WASI sees it, for what this type does not cover.
    pub fn from_wasi(response: WasiResponse) -> Self {
        Self {
            status: response.get_status_code(),
            headers: Vec::new(),
            body: Body::Wasi(response),
        }
    }

    /// Adds a header; does nothing to a response from [`Response::from_wasi`].
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = Body::Bytes(body);
        self
    }

    pub(crate) fn into_outcome(self, request_id: String) -> Result<Outcome, ErrorCode> {
        let Self {
            status,
            headers,
            body,
        } = self;
        match body {
            Body::Bytes(body) => Ok(Outcome::Buffered(BufferedResponse {
                status,
                headers,
                body,
            })),
            Body::Stream(start) => start(status, &headers, request_id).map(Outcome::Handled),
            Body::Wasi(response) => Ok(Outcome::Handled(response)),
            Body::Declined => Ok(Outcome::Declined),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match &self.body {
            Body::Bytes(_) => "bytes",
            Body::Stream(_) => "stream",
            Body::Wasi(_) => "wasi",
            Body::Declined => "declined",
        };
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("body", &body)
            .finish_non_exhaustive()
    }
}

/// Where the body of a streamed response goes.
#[derive(Debug)]
pub struct Writer(StreamWriter<u8>);

impl Writer {
    /// Sends all of `bytes`. Waits while the client reads slowly.
    pub async fn write(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), ClientGone> {
        let bytes = bytes.into();
        // An empty write would wait for a reader without need.
        if bytes.is_empty() || self.0.write_all(bytes).await.is_empty() {
            Ok(())
        } else {
            Err(ClientGone)
        }
    }
}

fn start<P, F>(
    status: u16,
    headers: &[(String, Vec<u8>)],
    produce: P,
    request_id: String,
) -> Result<WasiResponse, ErrorCode>
where
    P: FnOnce(Writer) -> F,
    F: Future<Output = Result<(), ClientGone>> + 'static,
{
    let fields = Fields::from_list(headers).map_err(|error| {
        ErrorCode::InternalError(Some(format!("a response header is not valid: {error}")))
    })?;
    let (sender, receiver) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = WasiResponse::new(fields, Some(receiver), trailers);
    response
        .set_status_code(status)
        .map_err(|()| ErrorCode::InternalError(Some(format!("{status} is not a status code"))))?;
    let production = produce(Writer(sender));
    spawn_local(async move {
        // A quiet stream notices only at its next write that nobody reads: the gateway tells at once.
        let (production, gone) = (pin!(production), pin!(client::gone(request_id)));
        match select(production, gone).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    });
    Ok(response)
}

/// JSON with two spaces of indentation and a newline at the end: the form of every JSON file and answer of the gateway.
pub fn pretty_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

//! A request as it goes on the wire: its framing is decided here, whatever the library beneath would make of it.
//!
//! hyper drops the body of a GET that says nothing about its length, and keeps a `Content-Length` over a body that turns out to
//! be empty; either would make two readers of the connection disagree. So every body that may have content is framed
//! explicitly, for every method, and held to the length that was announced.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use super::activity::Activity;
use super::error::{BoxError, SendError};
use super::fields;
use crate::extensions::trailers;

/// # Errors
/// When the request cannot be framed as one HTTP/1.1 request, or says that it has content and has none.
pub(super) fn prepare<B>(
    request: Request<B>,
    host: HeaderValue,
) -> Result<Request<RequestBody>, SendError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let (mut head, body) = request.into_parts();
    if head.method == Method::CONNECT {
        return Err(SendError::InvalidRequest("CONNECT asks for a tunnel"));
    }
    head.uri = origin_form(&head.uri)?;
    head.version = Version::HTTP_11;
    // Extensions are instructions to the library beneath.
    head.extensions.clear();
    let headers = &mut head.headers;
    fields::remove_hop_by_hop(headers);
    headers.insert(header::HOST, host);
    let declared = fields::content_length(headers).unwrap_or(None);
    if declared.is_none() {
        headers.remove(header::CONTENT_LENGTH);
    }
    let body = match (body.is_end_stream(), declared) {
        (true, None | Some(0)) | (false, Some(0)) => RequestBody::empty(),
        (true, Some(_)) => return Err(SendError::RequestBody(Box::new(LengthMismatch))),
        (false, Some(length)) => RequestBody::new(body, Some(length)),
        (false, None) => {
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
            fields::sanitise_trailer(headers);
            return Ok(Request::from_parts(head, RequestBody::new(body, None)));
        }
    };
    headers.remove(header::TRAILER);
    Ok(Request::from_parts(head, body))
}

fn origin_form(uri: &Uri) -> Result<Uri, SendError> {
    let Some(target) = uri.path_and_query() else {
        return Ok(Uri::default());
    };
    if target.as_str().starts_with('/') {
        return Ok(Uri::from(target.clone()));
    }
    PathAndQuery::try_from(format!("/{target}"))
        .map(Uri::from)
        .map_err(|_| SendError::InvalidRequest("its URI has no path that can be sent"))
}

/// A copy to send once more, when that does nothing that sending it once does not do: an idempotent method, without content.
pub(super) fn replay(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    // As IANA's registry of methods marks them.
    let idempotent = matches!(
        request.method().as_str(),
        "GET"
            | "HEAD"
            | "OPTIONS"
            | "TRACE"
            | "PUT"
            | "DELETE"
            | "PROPFIND"
            | "PROPPATCH"
            | "MKCOL"
            | "COPY"
            | "MOVE"
            | "UNLOCK"
            | "REPORT"
            | "SEARCH"
    );
    if !idempotent || request.body().content.is_some() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// A request's content, held to its announced length, that reports how far it has got.
pub(super) struct RequestBody {
    content: Option<UnsyncBoxBody<Bytes, BoxError>>,
    /// What of the announced length is still to come.
    remaining: Option<u64>,
    /// The connection that it is sent on.
    activity: Option<Arc<Activity>>,
}

impl RequestBody {
    fn empty() -> Self {
        Self {
            content: None,
            remaining: None,
            activity: None,
        }
    }

    fn new<B>(body: B, length: Option<u64>) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            content: Some(body.map_err(Into::into).boxed_unsync()),
            remaining: length,
            activity: None,
        }
    }

    /// Says which connection it is sent on next.
    pub(super) fn attach(&mut self, activity: Arc<Activity>) {
        if self.is_end_stream() {
            activity.complete_request();
        }
        self.activity = Some(activity);
    }

    /// Accounts for a frame.
    fn pass(&mut self, frame: &mut Frame<Bytes>, ended: bool) -> Result<(), LengthMismatch> {
        if let Some(trailers) = frame.trailers_mut() {
            trailers::retain_permitted(trailers);
            return self.end();
        }
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match &mut self.remaining {
            Some(remaining) => {
                *remaining = remaining.checked_sub(length).ok_or(LengthMismatch)?;
                if *remaining == 0 {
                    self.end()?;
                }
            }
            None if ended => self.end()?,
            None => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), LengthMismatch> {
        if self.remaining.is_some_and(|remaining| remaining > 0) {
            return Err(LengthMismatch);
        }
        self.content = None;
        if let Some(activity) = &self.activity {
            activity.complete_request();
        }
        Ok(())
    }

    /// Keeps the reason for whoever waits for the response.
    fn fail(&mut self, reason: BoxError) -> Failed {
        self.content = None;
        // Neither an end nor another frame may follow.
        self.remaining = Some(u64::MAX);
        if let Some(activity) = &self.activity {
            activity.fail_request(reason);
        }
        Failed
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        let this = self.get_mut();
        let Some(content) = &mut this.content else {
            return Poll::Ready(None);
        };
        let checked = match ready!(Pin::new(&mut *content).poll_frame(context)) {
            Some(Ok(mut frame)) => {
                let ended = content.is_end_stream();
                this.pass(&mut frame, ended)
                    .map(|()| Some(frame))
                    .map_err(BoxError::from)
            }
            Some(Err(error)) => Err(error),
            None => this.end().map(|()| None).map_err(BoxError::from),
        };
        Poll::Ready(checked.map_err(|reason| this.fail(reason)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        match (&self.content, self.remaining) {
            // Announced content that does not come is an error, which the next poll returns.
            (Some(_), Some(_)) => false,
            (Some(content), None) => content.is_end_stream(),
            (None, remaining) => remaining.is_none_or(|remaining| remaining == 0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.content, self.remaining) {
            (Some(_), Some(remaining)) => SizeHint::with_exact(remaining),
            (Some(_), None) => SizeHint::default(),
            (None, _) => SizeHint::with_exact(0),
        }
    }
}

/// The body has more or less than the request's `Content-Length` says.
#[derive(Debug, thiserror::Error)]
#[error("it is not as long as its Content-Length says")]
struct LengthMismatch;

/// The reason is kept in [`Activity`].
#[derive(Debug, thiserror::Error)]
#[error("the request body failed")]
pub(super) struct Failed;

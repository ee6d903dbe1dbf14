//! One request on its way through an extension, and the bodies in both directions.
//!
//! A response body that is cut short — because the instance trapped, or took too long to end — reaches the client as an
//! error, never as a normal end. Dropping a response body is how the extension, or the server that it passed the request on
//! to, learns that the client is gone.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use wasmtime_wasi_http::{Error, WasiBody};

use super::state::RequestId;
use super::trailers;
use super::workers::Counted;
use crate::store::stamp::Stamp;

/// A request for an extension: method, normalised path and query, and headers that an extension may see.
pub struct ExtensionRequest {
    pub request: http::Request<Incoming>,
    /// The permissions file that allowed it.
    pub permissions_config: Arc<Path>,
    /// That file as it stood then.
    pub permissions_stamp: Stamp,
    pub id: RequestId,
}

/// How an extension answered.
pub enum Answer {
    Response(http::Response<ResponseBody>),
    /// It does not serve this after all: 404.
    Declined,
    /// It trapped, returned an error or answered something that is no HTTP response: 500. Already logged.
    Failed,
    /// It keeps crashing, or has more to do than it can: 503.
    Unavailable,
    /// It did not answer in time: 504.
    Overdue,
    /// It is being replaced and has not begun with the request: to be routed again.
    Superseded(ExtensionRequest),
}

/// A request in an instance's queue.
pub(super) struct Job {
    pub(super) request: ExtensionRequest,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) client: ClientPresence,
}

/// The client's end of a request: while it lives, somebody waits for the response.
pub(super) struct ClientPresence {
    pub(super) gone: CancellationToken,
    guard: DropGuard,
    counted: Counted,
}

impl ClientPresence {
    pub(super) fn new(counted: Counted) -> Self {
        let gone = CancellationToken::new();
        Self {
            guard: gone.clone().drop_guard(),
            gone,
            counted,
        }
    }

    /// Ties the presence to the response: it ends when the response body is dropped.
    pub(super) fn into_guard(self) -> (DropGuard, Counted) {
        (self.guard, self.counted)
    }
}

/// How long a client may pause while it sends a body.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A request body that errors when it is longer than its extension accepts, or when its client stalls.
pub(super) struct LimitedBody {
    inner: Incoming,
    limit: Option<u64>,
    seen: u64,
    /// Runs while the client sends nothing.
    silence: Option<Pin<Box<Sleep>>>,
}

impl LimitedBody {
    pub(super) fn new(inner: Incoming, limit: Option<u64>) -> Self {
        Self {
            inner,
            limit,
            seen: 0,
            silence: None,
        }
    }
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut frame = match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Pending => {
                let silence = self
                    .silence
                    .get_or_insert_with(|| Box::pin(sleep(LONGEST_SILENCE)));
                let stalled = silence.as_mut().poll(context);
                return stalled.map(|()| Some(Err(Error::ConnectionReadTimeout)));
            }
            end => return end.map_err(Error::from),
        };
        self.silence = None;
        if let Some(trailers) = frame.trailers_mut() {
            trailers::retain_permitted(trailers);
        }
        if let Some(data) = frame.data_ref() {
            self.seen = self.seen.saturating_add(data.len() as u64);
            if self.limit.is_some_and(|limit| self.seen > limit) {
                return Poll::Ready(Some(Err(Error::HttpRequestBodySize(self.limit))));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Set when an instance has ended with streams still open.
pub(super) type Severed = Arc<AtomicBool>;

/// A response body, by value or as the guest streams it.
pub enum ResponseBody {
    Whole(Option<Bytes>),
    Streamed(StreamedBody),
}

impl ResponseBody {
    pub(super) fn streamed(body: WasiBody, severed: Severed, client: ClientPresence) -> Self {
        Self::Streamed(StreamedBody {
            body,
            severed,
            client: None,
            _client: client.into_guard(),
        })
    }

    /// Cuts a stream off that is quiet for [`LEAVING_GRACE`] after its client has `closed` its sending half: it would not
    /// notice by itself that the client has left. A whole body is left alone.
    pub fn until<F>(mut self, closed: impl FnOnce() -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Self::Streamed(stream) = &mut self {
            stream.client = Some(ClientWatch {
                closed: Some(Box::pin(closed())),
                grace: None,
            });
        }
        self
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

/// The guest's stream, watched for an end that is none.
pub struct StreamedBody {
    body: WasiBody,
    severed: Severed,
    client: Option<ClientWatch>,
    _client: (DropGuard, Counted),
}

/// How long a client that has closed its sending half may still be waiting for what comes next: most such have left.
pub const LEAVING_GRACE: Duration = Duration::from_secs(1);

/// Notices during a quiet time of a stream that its client has left.
struct ClientWatch {
    /// Completes when the client has closed its sending half; none once it has.
    closed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    grace: Option<Pin<Box<Sleep>>>,
}

impl ClientWatch {
    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(closed) = &mut self.closed {
            ready!(closed.as_mut().poll(context));
            self.closed = None;
        }
        let grace = self
            .grace
            .get_or_insert_with(|| Box::pin(sleep(LEAVING_GRACE)));
        grace.as_mut().poll(context)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(stream) => match Pin::new(&mut stream.body).poll_frame(context) {
                Poll::Pending => {
                    let Some(client) = &mut stream.client else {
                        return Poll::Pending;
                    };
                    ready!(client.poll_left(context));
                    Poll::Ready(Some(Err(Error::ConnectionTerminated)))
                }
                Poll::Ready(None) if stream.severed.load(Ordering::SeqCst) => {
                    Poll::Ready(Some(Err(Error::ConnectionTerminated)))
                }
                frame => {
                    if let Some(client) = &mut stream.client {
                        client.grace = None;
                    }
                    frame
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streamed(stream) => {
                !stream.severed.load(Ordering::SeqCst) && stream.body.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streamed(stream) => stream.body.size_hint(),
        }
    }
}

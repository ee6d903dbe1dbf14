//! What a client sends, bounded in length and in time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::Error;

use crate::extensions::trailers;

/// How long a client may pause while it sends a body.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A request body that errors when it is longer than its extension accepts, or when its client stalls.
pub(in crate::extensions) struct LimitedBody {
    inner: Incoming,
    limit: Option<u64>,
    /// When the request must have been answered.
    deadline: Option<Instant>,
    seen: u64,
    /// Runs while the client sends nothing.
    silence: Option<Pin<Box<Sleep>>>,
}

impl LimitedBody {
    pub(in crate::extensions) fn new(
        inner: Incoming,
        limit: Option<u64>,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            inner,
            limit,
            deadline,
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
                let deadline = self.deadline;
                let silence = self.silence.get_or_insert_with(|| {
                    let until = Instant::now() + LONGEST_SILENCE;
                    // The extension shall not be blamed for what its client did not send.
                    Box::pin(sleep_until(
                        deadline.map_or(until, |deadline| deadline.min(until)),
                    ))
                });
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

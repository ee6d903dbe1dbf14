//! A response body on its way from the upstream.
//!
//! Ends only where the upstream ended it: a body that is cut short, silent for too long, or whose request failed is an error.
//! Its connection is given back as soon as the end is known; dropped before, it ends its connection, which is how an upstream
//! learns that nobody is listening any more.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::error::SendError;
use super::link::Link;
use super::response::Reusable;
use crate::extensions::trailers;

pub(crate) struct UpstreamBody {
    incoming: Incoming,
    /// Gone when the body has ended, one way or the other.
    link: Option<Link>,
    reusable: Reusable,
    idle: Duration,
    /// When it was first asked in vain for the frame that it waits for.
    silent_since: Option<Instant>,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, link: Link, reusable: Reusable, idle: Duration) -> Self {
        let mut body = Self {
            incoming,
            link: Some(link),
            reusable,
            idle,
            silent_since: None,
        };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
    }

    fn end(&mut self) {
        if let Some(link) = self.link.take()
            && self.reusable == Reusable(true)
        {
            link.release();
        }
    }

    fn fail(&mut self, error: hyper::Error) -> SendError {
        let link = self.link.take();
        let request_failure = link.and_then(|link| link.activity().take_request_failure());
        request_failure.map_or_else(|| SendError::Cut(error), SendError::RequestBody)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else {
            return Poll::Ready(None);
        };
        match Pin::new(&mut this.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(mut frame))) => {
                this.silent_since = None;
                if let Some(trailers) = frame.trailers_mut() {
                    trailers::retain_permitted(trailers);
                    this.end();
                } else if this.incoming.is_end_stream() {
                    this.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(this.fail(error)))),
            Poll::Ready(None) => {
                this.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let since = *this.silent_since.get_or_insert_with(Instant::now);
                let silence = link.poll_silence(since, this.idle, context);
                silence.map(|error| {
                    this.link = None;
                    Some(Err(error))
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.link {
            Some(_) => self.incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

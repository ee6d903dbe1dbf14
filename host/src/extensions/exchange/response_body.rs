//! What an extension answers, on its way to the client: bounded in length and in time, and never shorter than it looks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::DropGuard;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{ClientPresence, Tether};
use crate::extensions::output::OutputLog;
use crate::extensions::policy;
use crate::extensions::workers::Counted;

/// How much of a whole body is handed over at once: the rest waits here, and counts as in progress, while the client reads.
const PIECE: usize = 256 * 1024;

/// A response body, by value or as the guest streams it.
pub enum ResponseBody {
    Whole(WholeBody),
    Streamed(StreamedBody),
}

/// Bytes that are all there.
pub struct WholeBody {
    rest: Bytes,
    _counted: Option<Counted>,
}

/// The guest's stream, watched for an end that is none.
pub struct StreamedBody {
    body: WasiBody,
    bounds: Bounds,
    overdue: Option<Pin<Box<Sleep>>>,
    tether: Arc<Tether>,
    client: Option<ClientWatch>,
    _client: (DropGuard, Counted),
}

/// What a streamed response may come to.
#[derive(Default)]
pub(in crate::extensions) struct Bounds {
    pub(in crate::extensions) cap: Option<Cap>,
    /// When it must have ended.
    pub(in crate::extensions) deadline: Option<Instant>,
}

/// How many bytes may follow, and where to say that there were more.
pub(in crate::extensions) struct Cap {
    limit: u64,
    left: u64,
    output: Arc<OutputLog>,
}

impl Cap {
    pub(in crate::extensions) fn new(limit: u64, output: Arc<OutputLog>) -> Self {
        Self {
            limit,
            left: limit,
            output,
        }
    }

    /// False, and a line in the log, when that is more than may follow.
    pub(in crate::extensions) fn take(&mut self, bytes: u64) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                policy::report_reached(
                    &self.output,
                    "an answer was cut off",
                    "max_response_bytes",
                    self.limit,
                );
                false
            }
        }
    }
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

impl ResponseBody {
    /// Counts as in progress until all of it is handed over.
    pub(in crate::extensions) fn whole(bytes: Bytes, client: ClientPresence) -> Self {
        Self::Whole(WholeBody {
            rest: bytes,
            _counted: Some(client.counted),
        })
    }

    pub(in crate::extensions) fn streamed(
        body: WasiBody,
        bounds: Bounds,
        tether: Arc<Tether>,
        client: ClientPresence,
    ) -> Self {
        tether.open();
        Self::Streamed(StreamedBody {
            body,
            bounds,
            overdue: None,
            tether,
            client: None,
            _client: (client.guard, client.counted),
        })
    }

    /// Whether the guest may still be writing it.
    pub(in crate::extensions) fn is_streamed(&self) -> bool {
        matches!(self, Self::Streamed(_))
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
    fn from(rest: Bytes) -> Self {
        Self::Whole(WholeBody {
            rest,
            _counted: None,
        })
    }
}

impl StreamedBody {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.poll_given_up(context),
            Poll::Ready(None) if self.tether.is_severed() => cut(),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(client) = &mut self.client {
                    client.grace = None;
                }
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let fits = self.bounds.cap.as_mut().is_none_or(|cap| cap.take(bytes));
                // A client that reads slowly may not have it all either, which is not the instance's fault.
                let is_late = self
                    .bounds
                    .deadline
                    .is_some_and(|deadline| deadline <= Instant::now());
                if fits && !is_late {
                    return Poll::Ready(Some(Ok(frame)));
                }
                cut()
            }
            end => end,
        }
    }

    /// Waits for the instance no longer than it may take, and no longer than the client waits.
    fn poll_given_up(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(deadline) = self.bounds.deadline {
            let overdue = self
                .overdue
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if overdue.as_mut().poll(context).is_ready() {
                self.tether.blame();
                return cut();
            }
        }
        let Some(client) = &mut self.client else {
            return Poll::Pending;
        };
        ready!(client.poll_left(context));
        cut()
    }
}

fn cut() -> Poll<Option<Result<Frame<Bytes>, Error>>> {
    Poll::Ready(Some(Err(Error::ConnectionTerminated)))
}

impl Drop for StreamedBody {
    fn drop(&mut self) {
        self.tether.close();
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
            Self::Whole(body) if body.rest.is_empty() => Poll::Ready(None),
            Self::Whole(body) => {
                let piece = body.rest.split_to(body.rest.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Streamed(stream) => stream.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.rest.is_empty(),
            Self::Streamed(stream) => !stream.tether.is_severed() && stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.rest.len() as u64),
            Self::Streamed(stream) => stream.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_large_body_is_handed_over_in_pieces_and_is_complete() {
        let bytes = Bytes::from(vec![7; 2 * PIECE + 1]);
        let mut body = ResponseBody::from(bytes.clone());
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), PIECE);
        assert!(!body.is_end_stream());
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(first.len() + rest.len(), bytes.len());
    }

    #[test]
    fn an_empty_body_has_ended() {
        assert!(ResponseBody::from(Bytes::new()).is_end_stream());
    }

    #[test]
    fn a_cap_lets_through_what_fits_and_nothing_more() {
        let mut cap = Cap::new(10, OutputLog::unkept("notes"));
        assert!(cap.take(4) && cap.take(6));
        assert!(!cap.take(1));
    }
}

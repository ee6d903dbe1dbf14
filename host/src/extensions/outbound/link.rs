//! One connection to an upstream, and whoever has it.
//!
//! A link is owned: by the exchange that uses it, or by the pool. Dropping it ends its connection at once, with whatever was on
//! its way in either direction; the only way back into the pool is [`Link::release`], which checks that nothing was.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Limits;
use super::activity::{Activity, Upload};
use super::body::UpstreamBody;
use super::error::SendError;
use super::origin::Origin;
use super::patience::Patience;
use super::pool::Pool;
use super::request::RequestBody;
use super::response;
use super::transport::Transport;

/// The most that a response head may take.
const LARGEST_HEAD: usize = 64 * 1024;
const MOST_FIELDS: usize = 256;
/// What a connection reads at once, and holds of what its upstream does not take. A head that is too large must fit.
const BUFFER: usize = 128 * 1024;

pub(super) struct Link {
    sender: SendRequest<RequestBody>,
    shared: Arc<Shared>,
    task: AbortHandle,
    patience: Patience,
    /// It has served before.
    used: bool,
}

/// What a link shares with the task that runs its connection.
struct Shared {
    origin: Arc<Origin>,
    activity: Arc<Activity>,
    pool: Weak<Pool>,
    handover: Mutex<Handover>,
}

/// Where a link waits when its exchange ends a moment before its connection is ready for the next.
#[derive(Default)]
struct Handover {
    offered: Option<Link>,
    /// Wakes the connection's task.
    waker: Option<Waker>,
    /// The connection's task takes nothing any more.
    ended: bool,
}

/// Why an exchange got no response.
pub(super) enum Failure {
    /// Nothing of the request was sent: here it is.
    Unsent(Request<RequestBody>),
    /// The connection ended, and not one byte had come back.
    Unanswered(SendError),
    Other(SendError),
}

impl Failure {
    pub(super) fn into_error(self) -> SendError {
        match self {
            Self::Unsent(_) => SendError::Closed(None),
            Self::Unanswered(error) | Self::Other(error) => error,
        }
    }
}

impl Link {
    /// # Errors
    /// None that is known: there is no handshake in HTTP/1.1.
    pub(super) async fn open(
        transport: Transport,
        origin: Arc<Origin>,
        pool: &Arc<Pool>,
    ) -> Result<Self, SendError> {
        let activity = transport.activity().clone();
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .max_header_size(LARGEST_HEAD)
            .max_headers(MOST_FIELDS)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|error| SendError::Closed(Some(error)))?;
        let shared = Arc::new(Shared {
            origin,
            activity,
            pool: Arc::downgrade(pool),
            handover: Mutex::default(),
        });
        let driver = Driver {
            connection,
            shared: shared.clone(),
        };
        Ok(Self {
            sender,
            shared,
            task: tokio::spawn(driver).abort_handle(),
            patience: Patience::new(),
            used: false,
        })
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.shared.origin
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.shared.activity
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Sends the request and waits for the response's head.
    pub(super) async fn exchange(
        mut self,
        mut request: Request<RequestBody>,
        limits: Limits,
    ) -> Result<Response<UpstreamBody>, Failure> {
        let to_head = request.method() == Method::HEAD;
        self.shared.activity.begin(self.used);
        request.body_mut().attach(self.shared.activity.clone());
        self.used = true;
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let answer = std::future::poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => {
                poll_unanswered(&self.shared.activity, &mut self.patience, limits, context).map(Err)
            }
        });
        let response = match answer.await.map_err(Failure::Other)? {
            Ok(response) => response,
            Err(mut failure) => {
                return Err(match failure.take_message() {
                    Some(request) => Failure::Unsent(request),
                    None => self.unanswered(failure.into_error()),
                });
            }
        };
        let (mut head, body) = response.into_parts();
        let reusable = response::sanitise(&mut head, to_head).map_err(Failure::Other)?;
        let body = UpstreamBody::new(body, self, reusable, limits.idle);
        Ok(Response::from_parts(head, body))
    }

    fn unanswered(&self, error: hyper::Error) -> Failure {
        let activity = self.activity();
        if let Some(reason) = activity.take_request_failure() {
            Failure::Other(SendError::RequestBody(reason))
        } else if error.is_parse_too_large() {
            Failure::Other(SendError::Malformed("its head is too large"))
        } else if error.is_parse() {
            Failure::Other(SendError::Malformed("its head is not HTTP/1.1"))
        } else if activity.answered() {
            Failure::Other(SendError::Closed(Some(error)))
        } else {
            Failure::Unanswered(SendError::Closed(Some(error)))
        }
    }

    /// Ready when the response body has been silent for too long since `silent_since`.
    pub(super) fn poll_silence(
        &mut self,
        silent_since: Instant,
        limits_idle: std::time::Duration,
        context: &mut Context<'_>,
    ) -> Poll<SendError> {
        let (deadline, error) = match self.shared.activity.upload() {
            // The upstream may be waiting for the rest of the request, whose sender has a clock of its own.
            Upload::AwaitsBody => (
                Instant::now() + limits_idle,
                SendError::IdleTimeout(limits_idle),
            ),
            Upload::AwaitsUpstream(since) => (
                silent_since.max(since) + limits_idle,
                SendError::UploadTimeout(limits_idle),
            ),
            Upload::Complete(since) => (
                silent_since.max(since) + limits_idle,
                SendError::IdleTimeout(limits_idle),
            ),
        };
        self.patience.poll_until(deadline, context).map(|()| error)
    }

    /// Gives the connection back after the response has ended: to the pool when the request has too, else it is ended.
    pub(super) fn release(self) {
        if !matches!(self.activity().upload(), Upload::Complete(_)) {
            return;
        }
        let shared = self.shared.clone();
        let mut handover = shared.handover();
        if handover.ended {
            return;
        }
        if self.sender.is_ready() {
            drop(handover);
            shared.rest(self);
            return;
        }
        // The connection's task may be just about to become ready; it looks here afterwards.
        handover.offered = Some(self);
        let waker = handover.waker.clone();
        drop(handover);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ready when the upstream has not answered, or not taken the request, for too long.
fn poll_unanswered(
    activity: &Activity,
    patience: &mut Patience,
    limits: Limits,
    context: &mut Context<'_>,
) -> Poll<SendError> {
    let (deadline, error) = match activity.upload() {
        // The request's sender has a clock of its own. This looks again early enough for either of the others.
        Upload::AwaitsBody => {
            let pause = limits.first_byte.min(limits.idle);
            (Instant::now() + pause, SendError::UploadTimeout(pause))
        }
        Upload::AwaitsUpstream(since) => {
            (since + limits.idle, SendError::UploadTimeout(limits.idle))
        }
        Upload::Complete(since) => (
            since + limits.first_byte,
            SendError::FirstByteTimeout(limits.first_byte),
        ),
    };
    patience.poll_until(deadline, context).map(|()| error)
}

impl Shared {
    fn handover(&self) -> MutexGuard<'_, Handover> {
        self.handover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self, link: Link) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put(link);
        }
    }

    /// After the connection has done what it could: takes a link that waits for that. Says whether the connection goes on.
    fn settle(&self, context: &Context<'_>) -> bool {
        let mut handover = self.handover();
        if handover.waker.is_none() {
            handover.waker = Some(context.waker().clone());
        }
        let Some(link) = handover.offered.take() else {
            return true;
        };
        drop(handover);
        let ready = link.is_ready();
        if ready {
            self.rest(link);
        }
        ready
    }
}

/// The connection's task.
struct Driver {
    connection: http1::Connection<TokioIo<Transport>, RequestBody>,
    shared: Arc<Shared>,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match Pin::new(&mut this.connection).poll(context) {
            Poll::Ready(ended) => {
                if let Err(error) = ended {
                    tracing::debug!(host = %this.shared.origin.target, %error, "a connection to an upstream failed");
                }
                Poll::Ready(())
            }
            Poll::Pending if this.shared.settle(context) => Poll::Pending,
            Poll::Pending => Poll::Ready(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let mut handover = self.shared.handover();
        handover.ended = true;
        let offered = handover.offered.take();
        drop(handover);
        drop(offered);
    }
}

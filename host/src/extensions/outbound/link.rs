//! One connection to an upstream, and whoever has it.
//!
//! A link is owned: by the exchange that uses it, or by the pool. Dropping it ends its connection at once, with whatever was on
//! its way in either direction; the only way back into the pool is [`Link::release`], which checks that nothing was.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Limits;
use super::activity::{Activity, Upload};
use super::body::UpstreamBody;
use super::error::SendError;
use super::origin::Origin;
use super::patience::{Patience, after};
use super::pool::Pool;
use super::request::RequestBody;
use super::response;
use super::transport::Transport;
use crate::extensions::threads::ServingHandles;

/// The most that a response head may take. It may have a hundred fields: another number than hyper's own would cost two allocations
/// of many kilobytes a response.
const LARGEST_HEAD: usize = 64 * 1024;
/// What a connection reads at once, and holds of what its upstream does not take. A head that is too large must fit.
const BUFFER: usize = 256 * 1024;
/// How long a connection may take to notice that its exchange is over. Microseconds, unless there is something wrong with it.
const SETTLING: Duration = Duration::from_millis(100);

pub(super) struct Link {
    sender: SendRequest<RequestBody>,
    activity: Arc<Activity>,
    origin: Arc<Origin>,
    pool: Weak<Pool>,
    task: AbortHandle,
    patience: Patience,
    /// It has served before.
    used: bool,
    /// The serving thread that looks after its socket, if one does.
    thread: Option<usize>,
}

/// Why an exchange got no response.
pub(super) enum Failure {
    /// Nothing of the request was sent: here it is.
    Unsent(Box<Request<RequestBody>>),
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
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|error| SendError::Closed(Some(error)))?;
        let host = origin.target.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%host, %error, "a connection to an upstream failed");
            }
        });
        Ok(Self {
            sender,
            activity,
            origin,
            pool: Arc::downgrade(pool),
            task: task.abort_handle(),
            patience: Patience::new(),
            used: false,
            thread: ServingHandles::current(),
        })
    }

    /// Whether using it here takes no other thread's help.
    pub(super) fn is_at_home(&self) -> bool {
        self.thread == ServingHandles::current()
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends the request and waits for the response's head.
    pub(super) async fn exchange(
        mut self,
        mut request: Request<RequestBody>,
        limits: Limits,
    ) -> Result<Response<UpstreamBody>, Failure> {
        if self.used && !self.has_settled().await {
            return Err(Failure::Unsent(Box::new(request)));
        }
        let to_head = request.method() == Method::HEAD;
        self.activity.begin(self.used);
        request.body_mut().attach(self.activity.clone());
        self.used = true;
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let answer = std::future::poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => {
                poll_unanswered(&self.activity, &mut self.patience, limits, context).map(Err)
            }
        });
        let response = match answer.await.map_err(Failure::Other)? {
            Ok(response) => response,
            Err(mut failure) => {
                return Err(match failure.take_message() {
                    Some(request) => Failure::Unsent(Box::new(request)),
                    None => self.unanswered(failure.into_error()),
                });
            }
        };
        let (mut head, body) = response.into_parts();
        let reusable = response::sanitise(&mut head, to_head).map_err(Failure::Other)?;
        let body = UpstreamBody::new(body, self, reusable, limits.idle);
        Ok(Response::from_parts(head, body))
    }

    /// Whether hyper is done with the exchange before: it sees the end of a response after the response's reader, by as much as
    /// its task needs to finish what it is doing.
    async fn has_settled(&mut self) -> bool {
        let mut deadline = None;
        std::future::poll_fn(|context| match self.sender.poll_ready(context) {
            Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
            Poll::Pending => {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + SETTLING);
                self.patience.poll_until(deadline, context).map(|()| false)
            }
        })
        .await
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
        idle: Duration,
        context: &mut Context<'_>,
    ) -> Poll<SendError> {
        let (deadline, error) = match self.activity.upload() {
            // The upstream may be waiting for the rest of the request, whose sender has a clock of its own.
            Upload::AwaitsBody => (after(Instant::now(), idle), SendError::IdleTimeout(idle)),
            Upload::AwaitsUpstream(since) => (
                after(silent_since.max(since), idle),
                SendError::UploadTimeout(idle),
            ),
            Upload::Complete(since) => (
                after(silent_since.max(since), idle),
                SendError::IdleTimeout(idle),
            ),
        };
        self.patience.poll_until(deadline, context).map(|()| error)
    }

    /// Gives the connection back after the response has ended: to the pool when the request has too, else it is ended.
    pub(super) fn release(self) {
        let complete = matches!(self.activity.upload(), Upload::Complete(_));
        if let (true, Some(pool)) = (complete, self.pool.upgrade()) {
            pool.put(self);
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
            (
                after(Instant::now(), pause),
                SendError::UploadTimeout(pause),
            )
        }
        Upload::AwaitsUpstream(since) => (
            after(since, limits.idle),
            SendError::UploadTimeout(limits.idle),
        ),
        Upload::Complete(since) => (
            after(since, limits.first_byte),
            SendError::FirstByteTimeout(limits.first_byte),
        ),
    };
    patience.poll_until(deadline, context).map(|()| error)
}

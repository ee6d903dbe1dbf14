//! One request on its way through an extension, and the bodies in both directions.
//!
//! A response body that is cut short — because the instance trapped, or took too long to end — reaches the client as an
//! error, never as a normal end. Dropping a response body is how the extension, or the server that it passed the request on
//! to, learns that the client is gone.

mod request_body;
mod response_body;
mod tether;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::request_body::LimitedBody;
pub(super) use self::response_body::{Bounds, Cap};
pub use self::response_body::{LEAVING_GRACE, ResponseBody};
pub(super) use self::tether::Tether;
use super::state::RequestId;
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
    /// It keeps crashing, or has more to do than it can or may: 503.
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
    /// The answer may stay open for as long as it likes.
    pub(super) streaming: bool,
    pub(super) patience: Option<Patience>,
}

impl Job {
    /// When the whole answer must be there.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.patience.as_ref().filter(|_| !self.streaming);
        patience.map(|patience| patience.until)
    }
}

/// How long somebody waits for an extension: for its answer, or, where that may stay open, until an instance begins with it.
#[derive(Clone)]
pub(super) struct Patience {
    pub(super) since: Instant,
    pub(super) until: Instant,
    begun: Arc<AtomicBool>,
}

impl Patience {
    pub(super) fn of(timeout: Duration) -> Self {
        let since = Instant::now();
        Self {
            since,
            until: since + timeout,
            begun: Arc::default(),
        }
    }

    /// An instance has taken the request.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

/// The client's end of a request: while it lives, somebody waits for the response, and the request counts as in progress.
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
}

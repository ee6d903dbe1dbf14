//! What goes on on one connection, as its socket sees it and as its request body sees it.
//!
//! Written by the task that owns the socket, read by whoever waits for the response. It decides nothing: timeouts, retries
//! and reuse are decided by those who read it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::error::BoxError;

pub(super) struct Activity {
    epoch: Instant,
    /// Milliseconds after `epoch` at which the socket last took bytes, or the exchange began.
    advanced: AtomicU64,
    /// The socket did not take all that it was given.
    write_blocked: AtomicBool,
    /// Bytes came since the exchange began.
    answered: AtomicBool,
    /// The request body was handed over to its end.
    request_complete: AtomicBool,
    /// Reads must find nothing until the request is on its way: see [`Self::begin`].
    must_be_quiet: AtomicBool,
    /// What the request body failed with.
    request_failure: Mutex<Option<BoxError>>,
}

/// How far a request has got.
pub(super) enum Upload {
    /// More of the body is to come, and everything so far was taken.
    AwaitsBody,
    /// The upstream last took something at this moment, and has more to take.
    AwaitsUpstream(Instant),
    /// All of it was taken, the last of it at this moment.
    Complete(Instant),
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            advanced: AtomicU64::new(0),
            write_blocked: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            request_complete: AtomicBool::new(true),
            must_be_quiet: AtomicBool::new(false),
            request_failure: Mutex::new(None),
        }
    }

    /// Starts an exchange. On a connection that served before, nothing may have come since: those bytes would be read as
    /// the answer to a request that they were sent before.
    pub(super) fn begin(&self, reused: bool) {
        self.advance();
        self.answered.store(false, Ordering::Relaxed);
        self.request_complete.store(false, Ordering::Relaxed);
        self.must_be_quiet.store(reused, Ordering::Release);
    }

    /// Whether a read that finds anything finds what no request of ours asked for.
    pub(super) fn must_be_quiet(&self) -> bool {
        self.must_be_quiet.load(Ordering::Acquire)
    }

    /// The socket took bytes.
    pub(super) fn wrote(&self) {
        self.advance();
        self.write_blocked.store(false, Ordering::Release);
        self.must_be_quiet.store(false, Ordering::Release);
    }

    /// The socket takes nothing now.
    pub(super) fn write_blocked(&self) {
        self.write_blocked.store(true, Ordering::Release);
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        self.answered.store(true, Ordering::Release);
    }

    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    pub(super) fn complete_request(&self) {
        self.request_complete.store(true, Ordering::Release);
    }

    pub(super) fn upload(&self) -> Upload {
        let advanced = self.epoch + Duration::from_millis(self.advanced.load(Ordering::Acquire));
        if self.write_blocked.load(Ordering::Acquire) {
            Upload::AwaitsUpstream(advanced)
        } else if self.request_complete.load(Ordering::Acquire) {
            Upload::Complete(advanced)
        } else {
            Upload::AwaitsBody
        }
    }

    pub(super) fn fail_request(&self, error: BoxError) {
        if let Ok(mut failure) = self.request_failure.lock() {
            failure.get_or_insert(error);
        }
    }

    pub(super) fn take_request_failure(&self) -> Option<BoxError> {
        self.request_failure.lock().ok()?.take()
    }

    fn advance(&self) {
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.advanced.store(elapsed, Ordering::Release);
    }
}

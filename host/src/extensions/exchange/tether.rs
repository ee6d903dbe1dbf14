//! What ties an instance and the responses that it streams together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Shared by an instance and the bodies of the responses that it streams.
#[derive(Default)]
pub(in crate::extensions) struct Tether {
    /// The instance has ended with streams still open.
    severed: AtomicBool,
    open: AtomicUsize,
    all_closed: Notify,
    overdue: Notify,
}

impl Tether {
    /// To be called before the store and the channels of its streams are dropped, or a cut body would look complete.
    pub(in crate::extensions) fn sever(&self) {
        self.severed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_severed(&self) -> bool {
        self.severed.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        if self.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all_closed.notify_waiters();
        }
    }

    /// The instance did not write in time what a response still lacks.
    pub(in crate::extensions) fn blame(&self) {
        self.overdue.notify_one();
    }

    /// Completes when a response was cut off for lack of what the instance should have written.
    pub(in crate::extensions) async fn blamed(&self) {
        self.overdue.notified().await;
    }

    /// Completes when no response is open.
    pub(in crate::extensions) async fn all_closed(&self) {
        loop {
            let closed = self.all_closed.notified();
            if self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
            closed.await;
        }
    }
}

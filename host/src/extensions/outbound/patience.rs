//! A timer for a deadline that keeps moving away.
//!
//! It is registered with the runtime only when it is reached early: a deadline that moves with every frame, and with every
//! request on a connection, costs one wake-up now and then instead of a registration each time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A hundred days. Longer than any exchange lasts, and no moment of the clock is too late for it.
const FOR_EVER: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// The moment that is `limit` after `since`, for any limit.
pub(super) fn after(since: Instant, limit: Duration) -> Instant {
    since + limit.min(FOR_EVER)
}

pub(super) struct Patience(Pin<Box<Sleep>>);

impl Patience {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep(Duration::ZERO)))
    }

    /// Ready when `deadline` has passed. Else it wakes the task by then, or earlier.
    pub(super) fn poll_until(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut self.0;
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

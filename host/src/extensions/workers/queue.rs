//! What waits for one worker's instance.
//!
//! The queue outlives every instance that takes from it, and can be closed from outside: what has not been taken then is given
//! back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::extensions::exchange::Job;

/// Requests that may wait for one instance.
const LENGTH: usize = 1024;

/// The end that instances take from. Clones are the same; one instance at a time shall wait for the next request.
#[derive(Clone)]
pub(in crate::extensions) struct Queue {
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    taken: Arc<AtomicU64>,
}

impl Queue {
    pub(super) fn new() -> (mpsc::Sender<Job>, Self) {
        let (sender, receiver) = mpsc::channel(LENGTH);
        let queue = Self {
            jobs: Arc::new(Mutex::new(receiver)),
            taken: Arc::default(),
        };
        (sender, queue)
    }

    /// The next request; none once the queue is closed and empty. Who waits is not woken by [`Queue::close`].
    pub(in crate::extensions) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Job>> {
        let next = self.lock().poll_recv(context);
        if let Poll::Ready(Some(_)) = next {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        next
    }

    pub(super) async fn next(&self) -> Option<Job> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// How many requests instances have taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes no more in.
    pub(super) fn close(&self) {
        self.lock().close();
    }

    /// Has everything answered that waits.
    pub(super) fn answer_all(&self, answer: impl Fn(Job)) {
        // Not under the lock: who waits for an answer may run at once.
        while let Some(job) = self.try_next() {
            answer(job);
        }
    }

    fn try_next(&self) -> Option<Job> {
        self.lock().try_recv().ok()
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, mpsc::Receiver<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

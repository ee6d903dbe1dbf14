//! What waits for one subscriber.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::extensions::output::OutputLog;

/// Messages that may wait for one subscriber.
pub(super) const QUEUE_LENGTH: usize = 1024;
/// What they may be together, in bytes.
pub(super) const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// What a message costs beside its content.
const OVERHEAD: usize = 64;

/// One message, shared by all that it waits for.
pub(super) struct Message {
    content: Vec<u8>,
    /// What waits on the topic, this included while it lives.
    waiting: Arc<AtomicUsize>,
}

impl Message {
    pub(super) fn new(content: Vec<u8>, waiting: Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(content.len() + OVERHEAD, Ordering::Relaxed);
        Self { content, waiting }
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    fn size(&self) -> usize {
        self.content.len() + OVERHEAD
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.size(), Ordering::Relaxed);
    }
}

/// What became of a message that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Done,
    /// There was no room, and so nothing comes any more.
    Full,
    /// There was no room for an earlier one.
    CutOffBefore,
    /// Nobody will ever look.
    Left,
}

/// A queue from which one subscriber takes.
pub(super) struct Inbox {
    owner: Arc<OutputLog>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    is_cut_off: bool,
    is_left: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(owner: Arc<OutputLog>) -> Self {
        Self {
            owner,
            state: Mutex::default(),
        }
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> &Arc<OutputLog> {
        &self.owner
    }

    pub(super) fn deliver(&self, message: &Arc<Message>) -> Delivery {
        let mut state = self.state();
        if state.is_left {
            return Delivery::Left;
        }
        if state.is_cut_off {
            return Delivery::CutOffBefore;
        }
        let is_full =
            state.messages.len() >= QUEUE_LENGTH || state.bytes + message.size() > QUEUE_BYTES;
        if is_full {
            state.is_cut_off = true;
        } else {
            state.bytes += message.size();
            state.messages.push_back(Arc::clone(message));
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if is_full {
            Delivery::Full
        } else {
            Delivery::Done
        }
    }

    /// The next message; none after the last one of a subscriber that was cut off.
    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Arc<Message>>> {
        let mut state = self.state();
        match state.messages.pop_front() {
            Some(message) => {
                state.bytes = state.bytes.saturating_sub(message.size());
                Poll::Ready(Some(message))
            }
            None if state.is_cut_off => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Nothing comes any more; what is there can be taken.
    pub(super) fn cut_off(&self) {
        self.state().is_cut_off = true;
    }

    /// Cuts it off and takes away what waits. False when it was cut off before.
    pub(super) fn clear(&self) -> bool {
        let mut state = self.state();
        let was_open = !std::mem::replace(&mut state.is_cut_off, true);
        state.bytes = 0;
        let messages = std::mem::take(&mut state.messages);
        let waker = state.waker.take();
        drop(state);
        drop(messages);
        if let Some(waker) = waker {
            waker.wake();
        }
        was_open
    }

    /// The subscriber has gone.
    pub(super) fn leave(&self) {
        let messages = {
            let mut state = self.state();
            state.is_left = true;
            state.bytes = 0;
            state.waker = None;
            std::mem::take(&mut state.messages)
        };
        drop(messages);
    }

    pub(super) fn is_left(&self) -> bool {
        self.state().is_left
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves half a change behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

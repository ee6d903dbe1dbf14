//! `mngr:gateway/events`: a bus between the instances of all extensions.
//!
//! Publishing never waits: each subscriber has a bounded queue, and one whose queue is full is cut off — its stream ends after
//! what it has — instead of slowing the publisher or growing memory. Order is the same for every subscriber of a topic.
//!
//! Everything has a bound: a message, a queue, what waits on a topic in all, an extension's subscriptions, and how fast it
//! publishes. Topics share nothing, so what happens on one is nothing to the subscribers of another. A message that is too long
//! or too soon after the others ends the instance that publishes it: to lose it would be a lie to its subscribers, and to cut
//! them off would be theirs to suffer.

mod inbox;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Instant;

use tracing::Level;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Destination, HasSelf, StreamProducer, StreamReader, StreamResult,
};

use self::inbox::{Delivery, Inbox, Message};
use crate::extensions::output::{OutputLog, Quota, Rate};
use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::events;

/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 8 * 1024 * 1024;
/// What may wait on one topic for all its subscribers, in bytes; what waits for several is there once.
const TOPIC_BYTES: usize = 64 * 1024 * 1024;
/// The subscriptions that one extension may have at once.
const SUBSCRIPTIONS: usize = 8192;

/// Messages that may be published at once: fewer than fit into the queue of a subscriber that keeps up.
const MESSAGES_AT_ONCE: u32 = 1000;
/// The size of what may be published in a second, and at once, where there is a limit at all.
const BYTES_A_SECOND: u32 = 2 * 1024 * 1024;
const BYTES_AT_ONCE: u32 = 12 * 1024 * 1024;

/// What an extension has of the bus: one for all its instances.
pub(super) struct Participant {
    output: Arc<OutputLog>,
    subscriptions: Arc<AtomicUsize>,
    publishing: Option<Publishing>,
}

/// How fast an extension may publish.
struct Publishing {
    a_second: u32,
    quota: Mutex<Quota>,
}

/// Why a message cannot be published: its publisher is ended.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PublishError {
    #[error("events: payload of {0} bytes, at most {LONGEST_MESSAGE}")]
    TooLong(usize),
    #[error(
        "events: too many messages to '{topic}': {} at once and then {a_second} a second are let through, and {} MiB of them; `events_per_second` in its policy raises that",
        at_once(*a_second),
        BYTES_A_SECOND / (1024 * 1024)
    )]
    TooFast { topic: String, a_second: u32 },
}

fn at_once(a_second: u32) -> u32 {
    a_second.saturating_mul(2).min(MESSAGES_AT_ONCE)
}

impl Participant {
    /// `a_second` messages may be published; without, as many as it likes.
    pub(super) fn new(output: Arc<OutputLog>, a_second: Option<NonZeroU32>) -> Self {
        let publishing = |a_second: NonZeroU32| Publishing {
            a_second: a_second.get(),
            quota: Mutex::new(Quota::new(Rate {
                lines_a_second: a_second.get(),
                lines_at_once: at_once(a_second.get()),
                bytes_a_second: BYTES_A_SECOND,
                bytes_at_once: BYTES_AT_ONCE,
            })),
        };
        Self {
            output,
            subscriptions: Arc::default(),
            publishing: a_second.map(publishing),
        }
    }

    fn check(&self, topic: &str, payload: &[u8], now: Instant) -> Result<(), PublishError> {
        if payload.len() > LONGEST_MESSAGE {
            return Err(PublishError::TooLong(payload.len()));
        }
        let Some(Publishing { a_second, quota }) = &self.publishing else {
            return Ok(());
        };
        let mut quota = quota.lock().unwrap_or_else(PoisonError::into_inner);
        if quota.admits(1, payload.len(), now) {
            Ok(())
        } else {
            Err(PublishError::TooFast {
                topic: topic.to_owned(),
                a_second: *a_second,
            })
        }
    }
}

/// The topics that were ever subscribed to; granted ones alone are.
#[derive(Default)]
pub(in crate::extensions) struct Bus {
    topics: RwLock<HashMap<String, Arc<Topic>>>,
}

#[derive(Default)]
struct Topic {
    /// Those that were cut off stay while their subscription does: what waits for them counts.
    inboxes: Mutex<Vec<Arc<Inbox>>>,
    /// Bytes that wait, each message once.
    waiting: Arc<AtomicUsize>,
}

impl Bus {
    /// Delivers to whoever keeps up, and returns how many that are.
    fn publish(&self, topic: &str, payload: Vec<u8>) -> usize {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let found = topics.get(topic).map(Arc::clone);
        drop(topics);
        let Some(found) = found else {
            return 0;
        };
        let (reached, cut_off) = found.publish(payload);
        for output in cut_off {
            let text = format!(
                "it did not keep up with what is published to '{topic}': a subscription has been cut off"
            );
            output.remark(Level::WARN, &text);
        }
        reached
    }

    fn subscribe(&self, topic: String, participant: &Participant) -> Subscription {
        let inbox = Arc::new(Inbox::new(Arc::clone(&participant.output)));
        let counted = Counted(Arc::clone(&participant.subscriptions));
        let others = counted.0.fetch_add(1, Ordering::Relaxed);
        if others >= SUBSCRIPTIONS {
            inbox.cut_off();
            let text = format!(
                "it has {others} subscriptions to events, as many as it may: one more ended at once"
            );
            participant.output.remark(Level::WARN, &text);
        } else {
            let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
            let topic = Arc::clone(topics.entry(topic).or_default());
            drop(topics);
            topic.add(Arc::clone(&inbox));
        }
        Subscription {
            inbox,
            _counted: counted,
        }
    }
}

impl Topic {
    fn add(&self, inbox: Arc<Inbox>) {
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        // A topic on which nothing is published would otherwise keep every subscriber that ever was.
        inboxes.retain(|inbox| !inbox.is_left());
        inboxes.push(inbox);
    }

    /// How many it was delivered to, and who has been cut off.
    fn publish(&self, payload: Vec<u8>) -> (usize, Vec<Arc<OutputLog>>) {
        let message = Arc::new(Message::new(payload, Arc::clone(&self.waiting)));
        let (mut reached, mut cut_off) = (0_usize, Vec::new());
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.retain(|inbox| {
            match inbox.deliver(&message) {
                Delivery::Done => reached += 1,
                Delivery::Full => cut_off.push(Arc::clone(inbox.owner())),
                Delivery::CutOffBefore => {}
                Delivery::Left => return false,
            }
            true
        });
        drop(message);
        // Those who leave the most lying go first, with what they have.
        while self.waiting.load(Ordering::Relaxed) > TOPIC_BYTES
            && let Some(slowest) = inboxes.iter().max_by_key(|inbox| inbox.waiting())
            && slowest.waiting() > 0
        {
            if slowest.clear() {
                reached = reached.saturating_sub(1);
                cut_off.push(Arc::clone(slowest.owner()));
            }
        }
        (reached, cut_off)
    }
}

/// Counts for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The host's end of the stream that `subscribe` returns.
struct Subscription {
    inbox: Arc<Inbox>,
    _counted: Counted,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inbox.leave();
    }
}

impl StreamProducer<InstanceState> for Subscription {
    type Item = Vec<u8>;
    type Buffer = Option<Vec<u8>>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _: StoreContextMut<'a, InstanceState>,
        mut destination: Destination<'a, Vec<u8>, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        Poll::Ready(Ok(match self.inbox.poll_next(context) {
            Poll::Ready(Some(message)) => {
                destination.set_buffer(Some(message.content().to_vec()));
                StreamResult::Completed
            }
            Poll::Ready(None) => StreamResult::Dropped,
            Poll::Pending if finish => StreamResult::Cancelled,
            Poll::Pending => return Poll::Pending,
        }))
    }
}

impl events::Host for InstanceState {
    fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<u32, events::Error>> {
        let capabilities = &self.capabilities;
        if !capabilities.grants.topics.contains(&topic) {
            capabilities.refused("events", &topic);
            return Ok(Err(events::Error::NotGranted));
        }
        let participant = &capabilities.participant;
        participant.check(&topic, &payload, Instant::now())?;
        let reached = capabilities.services.bus.publish(&topic, payload);
        Ok(Ok(u32::try_from(reached).unwrap_or(u32::MAX)))
    }
}

impl events::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    fn subscribe(
        mut access: Access<'_, InstanceState, Self>,
        topic: String,
    ) -> wasmtime::Result<Result<StreamReader<Vec<u8>>, events::Error>> {
        let capabilities = &access.get().capabilities;
        if !capabilities.grants.topics.contains(&topic) {
            capabilities.refused("events", &topic);
            return Ok(Err(events::Error::NotGranted));
        }
        let bus = &capabilities.services.bus;
        let subscription = bus.subscribe(topic, &capabilities.participant);
        StreamReader::new(&mut access, subscription).map(Ok)
    }
}

#[cfg(test)]
mod tests;

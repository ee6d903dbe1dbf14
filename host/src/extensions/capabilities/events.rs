//! `mngr:gateway/events`: a bus between the instances of all extensions.
//!
//! Publishing never waits: each subscriber has a bounded queue, and one whose queue is full is cut off — its stream ends —
//! instead of slowing the publisher or growing memory. Order is the same for every subscriber of a topic.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Destination, HasSelf, StreamProducer, StreamReader, StreamResult,
};

use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::events;

/// Messages that may wait for one subscriber.
const QUEUE_LENGTH: usize = 1024;

type Payload = Arc<[u8]>;

/// The subscribers of every topic.
#[derive(Default)]
pub(in crate::extensions) struct Bus {
    topics: Mutex<HashMap<String, Vec<mpsc::Sender<Payload>>>>,
}

impl Bus {
    /// Delivers to whoever keeps up, and returns how many that are.
    fn publish(&self, topic: &str, payload: Vec<u8>) -> usize {
        let payload = Payload::from(payload);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(subscribers) = topics.get_mut(topic) else {
            return 0;
        };
        subscribers.retain(
            |subscriber| match subscriber.try_send(Arc::clone(&payload)) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Closed(_)) => false,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!(topic, "a subscriber was too slow and has been cut off");
                    false
                }
            },
        );
        subscribers.len()
    }

    fn subscribe(&self, topic: String) -> Subscription {
        let (sender, messages) = mpsc::channel(QUEUE_LENGTH);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let subscribers = topics.entry(topic).or_default();
        // A topic on which nothing is published would otherwise keep every subscriber that ever was.
        subscribers.retain(|subscriber| !subscriber.is_closed());
        subscribers.push(sender);
        Subscription { messages }
    }
}

/// The host's end of the stream that `subscribe` returns.
struct Subscription {
    messages: mpsc::Receiver<Payload>,
}

impl StreamProducer<InstanceState> for Subscription {
    type Item = Vec<u8>;
    type Buffer = Option<Vec<u8>>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _: StoreContextMut<'a, InstanceState>,
        mut destination: Destination<'a, Vec<u8>, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        Poll::Ready(Ok(match self.messages.poll_recv(context) {
            Poll::Ready(Some(payload)) => {
                destination.set_buffer(Some(payload.to_vec()));
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
        if !self.capabilities.grants.topics.contains(&topic) {
            self.capabilities.refused("events", &topic);
            return Ok(Err(events::Error::NotGranted));
        }
        let reached = self.capabilities.services.bus.publish(&topic, payload);
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
        let subscription = capabilities.services.bus.subscribe(topic);
        StreamReader::new(&mut access, subscription).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_subscriber_gets_every_later_message_in_order() {
        let bus = Bus::default();
        assert_eq!(bus.publish("t", b"before".to_vec()), 0);
        let mut subscriptions = [bus.subscribe("t".to_owned()), bus.subscribe("t".to_owned())];
        bus.publish("other", b"elsewhere".to_vec());
        assert_eq!(bus.publish("t", b"1".to_vec()), 2);
        assert_eq!(bus.publish("t", b"2".to_vec()), 2);
        for subscription in &mut subscriptions {
            assert_eq!(&*subscription.messages.recv().await.unwrap(), b"1");
            assert_eq!(&*subscription.messages.recv().await.unwrap(), b"2");
        }
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_cut_off_and_the_others_are_not() {
        let bus = Bus::default();
        let mut slow = bus.subscribe("t".to_owned());
        for _ in 0..QUEUE_LENGTH {
            assert_eq!(bus.publish("t", Vec::new()), 1);
        }
        let mut quick = bus.subscribe("t".to_owned());
        assert_eq!(bus.publish("t", b"last".to_vec()), 1);
        assert_eq!(&*quick.messages.recv().await.unwrap(), b"last");
        for _ in 0..QUEUE_LENGTH {
            assert!(slow.messages.recv().await.is_some());
        }
        assert!(
            slow.messages.recv().await.is_none(),
            "the stream must end, not skip a message"
        );
    }

    #[test]
    fn subscribers_that_left_are_forgotten() {
        let bus = Bus::default();
        for _ in 0..10 {
            drop(bus.subscribe("t".to_owned()));
        }
        let _last = bus.subscribe("t".to_owned());
        assert_eq!(bus.topics.lock().unwrap().get("t").unwrap().len(), 1);
    }
}

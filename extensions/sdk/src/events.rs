//! Messages between the instances of all extensions. Needs [`Manifest::with_topic`](crate::Manifest::with_topic) for each
//! topic. Nothing is kept: a message reaches who is subscribed when it is published.

use wit_bindgen::StreamReader;

use crate::bindings::mngr::gateway::events as wit;

/// Why a topic could not be used.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The topic is not granted to this extension.
    #[error(
        "the topic is not granted to this extension; name it in the manifest and grant it in the policy"
    )]
    NotGranted,
}

impl From<wit::Error> for EventsError {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::NotGranted => Self::NotGranted,
        }
    }
}

/// Delivers `payload` to every subscriber of the topic and returns how many there are. Never waits.
pub fn publish(topic: &str, payload: &[u8]) -> Result<u32, EventsError> {
    Ok(wit::publish(topic, payload)?)
}

/// Everything that is published to the topic after this call.
pub fn subscribe(topic: &str) -> Result<Subscription, EventsError> {
    Ok(Subscription(wit::subscribe(topic)?))
}

/// The messages of a topic, in order. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(StreamReader<Vec<u8>>);

impl Subscription {
    /// The next message; none when this subscriber was too slow and has been cut off, or the gateway stops.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.0.next().await
    }
}

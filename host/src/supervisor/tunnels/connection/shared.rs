//! What a connection, its channels and the library's task have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::error::Disconnected;
use super::forwards::Forwards;
use crate::supervisor::tunnels::spill::SpillSpace;

/// The most channels that a host may have open at once.
const CHANNELS: usize = 1024;

/// How many channels this side may close before the connection is replaced: the SSH library keeps some 3 KB of each.
const WEAR: u32 = 8192;

/// The state of one connection.
pub(super) struct Shared {
    /// `user@host:port`
    pub(super) host: String,
    pub(super) forwards: Forwards,
    pub(super) channels: Arc<Semaphore>,
    pub(super) spill: Arc<SpillSpace>,
    ended: watch::Sender<Option<Disconnected>>,
    finished: CancellationToken,
    wear: AtomicU32,
}

impl Shared {
    pub(super) fn new(host: String, spill: Arc<SpillSpace>) -> Arc<Self> {
        Arc::new(Self {
            host,
            forwards: Forwards::default(),
            channels: Arc::new(Semaphore::new(CHANNELS)),
            spill,
            ended: watch::Sender::new(None),
            finished: CancellationToken::new(),
            wear: AtomicU32::new(0),
        })
    }

    /// Says why the connection ended; the first reason stays.
    pub(super) fn end(&self, reason: Disconnected) {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert(reason);
            is_first
        });
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> Disconnected {
        let mut ended = self.ended.subscribe();
        // The sender is this very object, which cannot go before.
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(Disconnected::Closed),
            Err(_) => Disconnected::Closed,
        }
    }

    /// The library's task is gone, and the socket with it.
    pub(super) fn finish(&self) {
        self.end(Disconnected::Lost("its task ended".to_owned()));
        self.finished.cancel();
    }

    /// Waits until the library's task is gone.
    pub(super) async fn finished(&self) {
        self.finished.cancelled().await;
    }

    /// One more channel that this side had to close.
    pub(super) fn wear(&self) {
        if self.wear.fetch_add(1, Ordering::Relaxed) + 1 == WEAR {
            self.end(Disconnected::WornOut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Arc<Shared> {
        Shared::new("agent@host:22".to_owned(), SpillSpace::new("/none".into()))
    }

    #[tokio::test]
    async fn everybody_who_waits_learns_the_first_reason() {
        let shared = shared();
        let waiting = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.ended().await })
        });
        shared.end(Disconnected::Silent);
        shared.end(Disconnected::Closed);
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap(), Disconnected::Silent);
        }
        assert_eq!(shared.ended().await, Disconnected::Silent, "also later");
    }

    #[tokio::test]
    async fn a_connection_wears_out_only_after_many_channels_cut_off() {
        let shared = shared();
        (1..WEAR).for_each(|_| shared.wear());
        assert!(shared.ended.borrow().is_none());
        shared.wear();
        assert_eq!(shared.ended().await, Disconnected::WornOut);
    }
}

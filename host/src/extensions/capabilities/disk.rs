//! Calls of the host that wait for the disk.
//!
//! They run on threads that all extensions share, so each extension has a few turns at a time; the others wait for theirs.
//! What waits holds what the guest has handed over: a guest that starts such calls without end is ended.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// Calls that may wait, for each turn.
const WAITING: usize = 256;
/// Bytes that they may hold, for each turn.
const HELD: usize = 16 * 1024 * 1024;

/// One extension's turns.
pub(super) struct Disk {
    turns: Arc<Semaphore>,
    calls: Count,
    bytes: Count,
}

/// Something that is used up and given back.
struct Count {
    used: Arc<AtomicUsize>,
    most: usize,
}

/// Gives back when it is dropped.
struct Taken {
    from: Arc<AtomicUsize>,
    amount: usize,
}

impl Count {
    fn new(most: usize) -> Self {
        Self {
            used: Arc::default(),
            most,
        }
    }

    fn take(&self, amount: usize) -> Option<Taken> {
        let taken = Taken {
            from: Arc::clone(&self.used),
            amount,
        };
        let before = self.used.fetch_add(amount, Ordering::Relaxed);
        // What is not to be had is given back at once.
        (before.saturating_add(amount) <= self.most).then_some(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.from.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

impl Disk {
    /// `turns` calls run at once.
    pub(super) fn new(turns: NonZeroUsize) -> Self {
        let turns = turns.get().min(Semaphore::MAX_PERMITS);
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            calls: Count::new(turns.saturating_mul(WAITING)),
            bytes: Count::new(turns.saturating_mul(HELD)),
        }
    }

    /// Runs `work`, which holds `bytes` of the guest's, where nothing else waits for it.
    ///
    /// # Errors
    /// When too much waits already: the guest is ended.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> wasmtime::Result<T> {
        let Some(call) = self.calls.take(1) else {
            return Err(wasmtime::format_err!(
                "more than {} of its calls wait for the disk",
                self.calls.most
            ));
        };
        let Some(held) = self.bytes.take(bytes) else {
            return Err(wasmtime::format_err!(
                "its calls that wait for the disk hold more than {} bytes",
                self.bytes.most
            ));
        };
        // Nobody closes it.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _until_done = (turn, call, held);
            work()
        })
        .await
        .map_err(|error| wasmtime::format_err!("the host's own task failed: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join_all;
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn disk(turns: usize) -> Disk {
        Disk::new(NonZeroUsize::new(turns).unwrap())
    }

    #[tokio::test]
    async fn so_many_run_at_once_and_all_have_their_turn() {
        let disk = disk(2);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls = (0..100).map(|number| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            disk.run(1000, move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                number
            })
        });
        let done: Vec<_> = join_all(calls)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        let most = most.load(Ordering::SeqCst);
        assert!(most <= 2, "{most} at once");
        assert_eq!(disk.calls.used.load(Ordering::SeqCst), 0);
        assert_eq!(disk.bytes.used.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn who_starts_calls_without_end_is_told() {
        let disk = disk(1);
        let (go, wait) = sync_channel::<()>(0);
        let blocking = tokio::spawn({
            let call = disk.calls.take(0);
            assert!(call.is_some());
            let turns = Arc::clone(&disk.turns);
            async move {
                let _turn = turns.acquire_owned().await;
                tokio::task::spawn_blocking(move || wait.recv()).await
            }
        });
        while disk.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut waiting = Vec::new();
        for number in 0..WAITING {
            let mut call = Box::pin(disk.run(0, || ()));
            assert!((&mut call).now_or_never().is_none(), "call {number} waits");
            waiting.push(call);
        }
        let error = disk.run(0, || ()).await.unwrap_err().to_string();
        assert!(error.contains("more than 256 of its calls"), "{error}");
        waiting.clear();
        let error = disk.run(HELD + 1, || ()).await.unwrap_err().to_string();
        assert!(error.contains("hold more than"), "{error}");
        drop(go);
        let _ = blocking.await;
        disk.run(HELD, || ()).await.expect("there is room again");
    }
}

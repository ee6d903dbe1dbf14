//! How many hosts are connected to at a time. A limit for the start, when all are due at once, that no dead host can block.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(super) struct Slots {
    free: Semaphore,
    limit: Duration,
}

impl Slots {
    /// So many at a time; whoever takes longer than `limit` gives its slot up and goes on without one.
    pub(super) const fn new(count: usize, limit: Duration) -> Self {
        Self {
            free: Semaphore::const_new(count),
            limit,
        }
    }

    /// Waits for a slot, and then for the work.
    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        // Never closed, so there is always a slot to come.
        let slot = self.free.acquire().await.ok();
        let mut work = std::pin::pin!(work);
        if let Ok(done) = timeout(self.limit, &mut work).await {
            return done;
        }
        drop(slot);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn work_that_never_ends_gives_its_slot_to_others() {
        let slots = Arc::new(Slots::new(2, Duration::from_millis(20)));
        for _ in 0..6 {
            let slots = Arc::clone(&slots);
            tokio::spawn(async move { slots.run(pending::<()>()).await });
        }
        tokio::task::yield_now().await;
        let done = timeout(Duration::from_secs(10), slots.run(async { 7 })).await;
        assert_eq!(done, Ok(7));
    }

    #[tokio::test]
    async fn no_more_than_allowed_work_at_a_time() {
        let slots = Slots::new(2, Duration::from_secs(60));
        let running = std::cell::Cell::new((0, 0));
        let work = || {
            slots.run(async {
                let (now, most) = running.get();
                running.set((now + 1, most.max(now + 1)));
                tokio::task::yield_now().await;
                let (now, most) = running.get();
                running.set((now - 1, most));
            })
        };
        futures::future::join_all((0..9).map(|_| work())).await;
        assert_eq!(running.get(), (0, 2));
    }
}

//! Connections at rest between two requests.
//!
//! Holds only connections whose request and response were both consumed completely ([`Link::release`] sees to it), ends each
//! of them after a while, and never holds more than it may. Gives the one that rested least.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::link::Link;
use super::origin::Origin;

/// How many connections may rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) per_origin: usize,
    pub(super) total: usize,
    /// How long each may.
    pub(super) lifetime: Duration,
}

pub(super) struct Pool {
    bounds: Bounds,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    /// The longest rested first. May be empty until the next sweep.
    origins: HashMap<Arc<Origin>, VecDeque<Resting>>,
    total: usize,
    /// A task looks after the lifetimes.
    swept: bool,
}

struct Resting {
    link: Link,
    since: Instant,
}

impl Pool {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            rest: Mutex::default(),
        })
    }

    /// A connection that, as far as this end knows, can serve.
    pub(super) fn take(&self, origin: &Origin) -> Option<Link> {
        let mut rest = self.lock();
        let rest = &mut *rest;
        let resting = rest.origins.get_mut(origin)?;
        while let Some(Resting { link, since }) = resting.pop_back() {
            rest.total -= 1;
            if !link.is_closed() && since.elapsed() < self.bounds.lifetime {
                return Some(link);
            }
        }
        None
    }

    pub(super) fn put(self: &Arc<Self>, link: Link) {
        let mut rest = self.lock();
        let since = Instant::now();
        let resting = match rest.origins.get_mut(&**link.origin()) {
            Some(resting) => resting,
            None => rest.origins.entry(link.origin().clone()).or_default(),
        };
        resting.push_back(Resting { link, since });
        let too_many_here = resting.len() > self.bounds.per_origin;
        if too_many_here {
            resting.pop_front();
        } else {
            rest.total += 1;
        }
        if rest.total > self.bounds.total {
            rest.end_longest_rested();
        }
        if !rest.swept {
            rest.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.bounds.lifetime / 2));
        }
    }

    #[cfg(test)]
    pub(super) fn resting(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn end_longest_rested(&mut self) {
        let longest = self
            .origins
            .values_mut()
            .filter_map(|resting| Some((resting.front()?.since, resting)))
            .min_by_key(|(since, _)| *since);
        if let Some((_, resting)) = longest {
            resting.pop_front();
            self.total -= 1;
        }
    }

    /// Ends what has rested too long, or was ended by its upstream. Says whether there is anything left to look after.
    fn sweep(&mut self, lifetime: Duration) -> bool {
        self.origins.retain(|_, resting| {
            resting
                .retain(|resting| !resting.link.is_closed() && resting.since.elapsed() < lifetime);
            !resting.is_empty()
        });
        self.total = self.origins.values().map(VecDeque::len).sum();
        self.swept = self.total > 0;
        self.swept
    }
}

async fn sweep(pool: Weak<Pool>, pause: Duration) {
    loop {
        sleep(pause).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.lock().sweep(pool.bounds.lifetime) {
            return;
        }
    }
}

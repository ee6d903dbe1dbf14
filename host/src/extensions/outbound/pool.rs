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

/// Few enough to soon come to an end under load, and more than a client who asks now and then.
const MOST_BORROWED: u32 = 16;

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
    origins: HashMap<Arc<Origin>, Shelf>,
    total: usize,
    /// A task looks after the lifetimes.
    swept: bool,
}

/// The connections to one origin.
#[derive(Default)]
struct Shelf {
    /// The longest rested first. May be empty until the next sweep.
    resting: VecDeque<Resting>,
    /// How often one went to another thread than its own, since that thread was last told to make one itself.
    borrowed: u32,
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
        let shelf = rest.origins.get_mut(origin)?;
        while let Some(Resting { link, since }) = shelf.take() {
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
        let shelf = match rest.origins.get_mut(&**link.origin()) {
            Some(shelf) => shelf,
            None => rest.origins.entry(link.origin().clone()).or_default(),
        };
        let resting = &mut shelf.resting;
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

impl Shelf {
    /// The one that rested least: one of this thread's if there is any, for handing bytes from thread to thread costs more than
    /// the rest of an exchange. A thread that often has to borrow gets none now and then, so that it makes its own.
    fn take(&mut self) -> Option<Resting> {
        let own = self
            .resting
            .iter()
            .rposition(|resting| resting.link.is_at_home());
        if let Some(own) = own {
            return self.resting.remove(own);
        }
        if self.borrowed == MOST_BORROWED {
            self.borrowed = 0;
            return None;
        }
        let borrowed = self.resting.pop_back()?;
        self.borrowed += 1;
        Some(borrowed)
    }
}

impl Rest {
    fn end_longest_rested(&mut self) {
        let longest = self
            .origins
            .values_mut()
            .map(|shelf| &mut shelf.resting)
            .filter_map(|resting| Some((resting.front()?.since, resting)))
            .min_by_key(|(since, _)| *since);
        if let Some((_, resting)) = longest {
            resting.pop_front();
            self.total -= 1;
        }
    }

    /// Ends what has rested too long, or was ended by its upstream. Says whether there is anything left to look after.
    fn sweep(&mut self, lifetime: Duration) -> bool {
        self.origins.retain(|_, Shelf { resting, .. }| {
            resting
                .retain(|resting| !resting.link.is_closed() && resting.since.elapsed() < lifetime);
            !resting.is_empty()
        });
        self.total = self.origins.values().map(|shelf| shelf.resting.len()).sum();
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

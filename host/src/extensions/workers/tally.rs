//! Counts what an extension's instances do, for its report.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::extensions::report::{Activity, Crash};

/// Relaxed counters: each is right by itself, and no two need to agree.
#[derive(Default)]
pub(in crate::extensions) struct Tally {
    instances: AtomicUsize,
    memory_bytes: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    in_progress: AtomicUsize,
    restarts: AtomicU64,
    rare: Mutex<Rare>,
}

/// What changes seldom.
#[derive(Default)]
struct Rare {
    last_crash: Option<Crash>,
    out_of_service_until: Option<Timestamp>,
}

/// A request in progress, or an instance that is up: counted for as long as this lives.
pub(in crate::extensions) struct Counted {
    tally: Arc<Tally>,
    count: fn(&Tally) -> &AtomicUsize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.count)(&self.tally).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// Counts a request, unless as many as `limit` are in progress.
    pub(in crate::extensions) fn request(
        self: &Arc<Self>,
        limit: Option<usize>,
    ) -> Option<Counted> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let before = self.in_progress.fetch_add(1, Ordering::Relaxed);
        let counted = self.counted(|tally| &tally.in_progress);
        limit.is_none_or(|limit| before < limit).then_some(counted)
    }

    pub(in crate::extensions) fn instance(self: &Arc<Self>) -> Counted {
        self.instances.fetch_add(1, Ordering::Relaxed);
        self.counted(|tally| &tally.instances)
    }

    fn counted(self: &Arc<Self>, count: fn(&Self) -> &AtomicUsize) -> Counted {
        Counted {
            tally: Arc::clone(self),
            count,
        }
    }

    pub(in crate::extensions) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// An instance has ended that was not meant to.
    pub(super) fn crash(&self, reason: &str) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.rare().last_crash = Some(Crash {
            at: Timestamp::now(),
            reason: reason.to_owned(),
        });
    }

    pub(super) fn set_out_of_service(&self, until: Option<Timestamp>) {
        self.rare().out_of_service_until = until;
    }

    pub(in crate::extensions) fn memory_grown(&self, bytes: u64) {
        self.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(in crate::extensions) fn memory_freed(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(in crate::extensions) fn activity(&self) -> Activity {
        let rare = self.rare();
        Activity {
            instances: self.instances.load(Ordering::Relaxed),
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            in_progress: u64::try_from(self.in_progress.load(Ordering::Relaxed))
                .unwrap_or(u64::MAX),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_crash: rare.last_crash.clone(),
            out_of_service_until: rare
                .out_of_service_until
                .filter(|until| *until > Timestamp::now()),
        }
    }

    fn rare(&self) -> std::sync::MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! When an extension's instances crash too often to be replaced at once.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// More crashes than this within [`CRASH_WINDOW`] take a worker out of service.
const CRASHES_ALLOWED: usize = 8;
const CRASH_WINDOW: Duration = Duration::from_secs(10);
const SHORTEST_OUTAGE: Duration = Duration::from_secs(1);
const LONGEST_OUTAGE: Duration = Duration::from_secs(60);

/// When instances crashed, and how long the next outage lasts.
pub(super) struct CrashHistory {
    recent: VecDeque<Instant>,
    next_outage: Duration,
}

impl CrashHistory {
    pub(super) fn new() -> Self {
        Self {
            recent: VecDeque::new(),
            next_outage: SHORTEST_OUTAGE,
        }
    }

    /// How long to stay out of service after one more crash at `now`, if at all.
    pub(super) fn record(&mut self, now: Instant) -> Option<Duration> {
        if self
            .recent
            .back()
            .is_none_or(|last| now - *last > LONGEST_OUTAGE + CRASH_WINDOW)
        {
            self.next_outage = SHORTEST_OUTAGE;
        }
        self.recent.retain(|crash| now - *crash < CRASH_WINDOW);
        self.recent.push_back(now);
        if self.recent.len() <= CRASHES_ALLOWED {
            return None;
        }
        let outage = self.next_outage;
        self.next_outage = (outage * 2).min(LONGEST_OUTAGE);
        Some(outage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occasional_crashes_cause_no_outage() {
        let mut history = CrashHistory::new();
        let start = Instant::now();
        for n in 0..100 {
            assert_eq!(history.record(start + CRASH_WINDOW / 4 * n), None);
        }
    }

    #[test]
    fn outages_double_up_to_the_longest_and_start_over_after_a_quiet_time() {
        let mut history = CrashHistory::new();
        let mut now = Instant::now();
        for _ in 0..CRASHES_ALLOWED {
            assert_eq!(history.record(now), None);
        }
        let outages: Vec<_> = (0..8)
            .map(|_| history.record(now).unwrap().as_secs())
            .collect();
        assert_eq!(outages, [1, 2, 4, 8, 16, 32, 60, 60]);
        now += LONGEST_OUTAGE * 2;
        for _ in 0..CRASHES_ALLOWED {
            assert_eq!(history.record(now), None);
        }
        assert_eq!(history.record(now), Some(SHORTEST_OUTAGE));
    }
}

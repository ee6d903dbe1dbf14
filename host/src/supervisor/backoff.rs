//! How long to wait before the next attempt: twice as long after each failure up to a limit, and at random below that, so
//! that hosts which failed together do not return together.

use std::time::Duration;

/// A schedule of waits, without a state: the caller counts the failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits of up to `first` after one failure, of up to `longest` after many. For constants: does not compile when `first` is
    /// nothing, which would repeat failures without a pause, or longer than `longest`.
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        assert!(!first.is_zero() && first.as_nanos() <= longest.as_nanos());
        Self { first, longest }
    }

    /// The longest wait after this many failures in a row; nothing after none.
    pub(super) fn ceiling(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        2_u32
            .checked_pow(doublings)
            .and_then(|factor| self.first.checked_mul(factor))
            .map_or(self.longest, |wait| wait.min(self.longest))
    }

    /// The wait after this many failures in a row: the part of the ceiling that `random` is of all its values.
    pub(super) fn delay(&self, failures: u32, random: u64) -> Duration {
        fraction(self.ceiling(failures), random)
    }
}

/// The part of `whole` that `random` is of 2^64.
pub(super) fn fraction(whole: Duration, random: u64) -> Duration {
    let fraction = (whole.as_nanos() * u128::from(random)) >> u64::BITS;
    // Smaller than `whole`, whose seconds fit.
    Duration::from_nanos_u128(fraction)
}

/// A number that nobody foresees; the largest one where the system has none to give, which means the longest wait.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FIVE_MINUTES: Backoff = Backoff::new(SECOND, Duration::from_mins(5));

    #[test]
    fn waits_double_up_to_the_longest() {
        let ceilings: Vec<u64> = (0..=11)
            .map(|failures| FIVE_MINUTES.ceiling(failures).as_secs())
            .collect();
        assert_eq!(ceilings, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn months_of_failures_do_not_overflow() {
        let longest = Duration::MAX;
        let backoff = Backoff::new(SECOND, longest);
        assert_eq!(backoff.ceiling(u32::MAX), longest);
        assert_eq!(FIVE_MINUTES.ceiling(u32::MAX), Duration::from_mins(5));
    }

    #[test]
    fn jitter_spreads_over_the_whole_wait() {
        let waits: Vec<Duration> = [0, 1 << 62, 1 << 63, u64::MAX]
            .map(|random| FIVE_MINUTES.delay(3, random))
            .to_vec();
        assert_eq!(waits[..3], [Duration::ZERO, SECOND, 2 * SECOND]);
        assert!(
            waits[3] > Duration::from_millis(3999) && waits[3] < 4 * SECOND,
            "{waits:?}"
        );
    }

    #[test]
    fn system_randomness_is_not_one_value() {
        let values: std::collections::HashSet<u64> = (0..8).map(|_| random()).collect();
        assert!(values.len() > 1, "{values:?}");
    }

    proptest! {
        #[test]
        fn a_wait_never_exceeds_its_ceiling(
            first in 1_u64..10_000,
            more in 0_u64..10_000_000,
            failures: u32,
            random: u64,
        ) {
            let longest = Duration::from_millis(first + more);
            let backoff = Backoff::new(Duration::from_millis(first), longest);
            let wait = backoff.delay(failures, random);
            prop_assert!(wait <= backoff.ceiling(failures), "{wait:?}");
            prop_assert!(backoff.ceiling(failures) <= longest);
        }
    }
}

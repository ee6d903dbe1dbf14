//! How long to wait before mngr is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Who has run this long has started well.
const STABLE: Duration = Duration::from_secs(60);

/// Doubles with each failure up to a minute, and starts over after a stable minute.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after a run of `lasted`. `chance` from 0 to 1 spreads it over the upper half of what it may be, so that
    /// many that failed together do not come back together.
    pub(super) fn after(&mut self, lasted: Duration, chance: f64) -> Duration {
        if lasted >= STABLE {
            self.failures = 0;
        }
        let longest = FIRST
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_over_after_a_stable_one() {
        let mut backoff = Backoff::default();
        let mut after = |lasted, chance| {
            backoff
                .after(Duration::from_secs(lasted), chance)
                .as_secs_f64()
        };
        let waits: Vec<f64> = (0..8).map(|_| after(59, 1.0)).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        for _ in 0..100 {
            assert_eq!(after(0, 1.0), 60.0);
        }
        assert_eq!(after(0, 0.0), 30.0);
        assert_eq!(after(60, 1.0), 1.0);
        assert_eq!(after(1, 0.5), 1.5);
    }
}

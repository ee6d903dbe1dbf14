//! How much may be said at once, and how much in the long run; and a count of what was more.

use std::time::{Duration, Instant};

/// An allowance that grows with time, up to a burst.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// What one unit costs.
    each: Duration,
    /// What may be spent at once.
    burst: Duration,
    /// Until when everything is spent that time has given.
    spent_until: Option<Instant>,
}

impl Allowance {
    fn new(a_second: u32, at_once: u32) -> Self {
        let each = Duration::from_secs(1) / a_second.max(1);
        Self {
            each,
            burst: each * at_once,
            spent_until: None,
        }
    }

    /// What spending `units` at `now` would come to, if it may be.
    fn after(&self, units: u32, now: Instant) -> Option<Instant> {
        let from = self.spent_until.map_or(now, |spent| spent.max(now));
        let spent = from + self.each * units;
        (spent.duration_since(now) <= self.burst).then_some(spent)
    }
}

/// How many lines and bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::extensions) struct Rate {
    pub(in crate::extensions) lines_a_second: u32,
    pub(in crate::extensions) lines_at_once: u32,
    pub(in crate::extensions) bytes_a_second: u32,
    pub(in crate::extensions) bytes_at_once: u32,
}

/// What has been left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Omitted {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// Lets lines through as long as their number and their size allow it.
#[derive(Debug)]
pub(in crate::extensions) struct Quota {
    lines: Allowance,
    bytes: Allowance,
    omitted: Omitted,
}

impl Quota {
    pub(in crate::extensions) fn new(rate: Rate) -> Self {
        Self {
            lines: Allowance::new(rate.lines_a_second, rate.lines_at_once),
            bytes: Allowance::new(rate.bytes_a_second, rate.bytes_at_once),
            omitted: Omitted::default(),
        }
    }

    /// Whether `lines` of `bytes` together may be written at `now`. If not, they are counted.
    pub(in crate::extensions) fn admits(&mut self, lines: u32, bytes: usize, now: Instant) -> bool {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        match (self.lines.after(lines, now), self.bytes.after(size, now)) {
            (Some(spent_lines), Some(spent_bytes)) => {
                self.lines.spent_until = Some(spent_lines);
                self.bytes.spent_until = Some(spent_bytes);
                true
            }
            _ => {
                self.omit(lines, bytes);
                false
            }
        }
    }

    /// Counts what could not be written for another reason.
    pub(super) fn omit(&mut self, lines: u32, bytes: usize) {
        self.omitted.lines = self.omitted.lines.saturating_add(u64::from(lines));
        self.omitted.bytes = self.omitted.bytes.saturating_add(bytes as u64);
    }

    /// What was left out since this was asked last, if anything was.
    pub(super) fn take_omitted(&mut self) -> Option<Omitted> {
        let omitted = std::mem::take(&mut self.omitted);
        (omitted.lines > 0).then_some(omitted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        lines_a_second: 50,
        lines_at_once: 200,
        bytes_a_second: 1000,
        bytes_at_once: 5000,
    };

    #[test]
    fn a_burst_is_let_through_and_then_so_many_a_second() {
        let mut quota = Quota::new(RATE);
        let start = Instant::now();
        let admitted =
            |quota: &mut Quota, now| (0..1000).filter(|_| quota.admits(1, 1, now)).count();
        assert_eq!(admitted(&mut quota, start), 200);
        assert_eq!(
            quota.take_omitted(),
            Some(Omitted {
                lines: 800,
                bytes: 800
            })
        );
        assert_eq!(quota.take_omitted(), None);
        assert_eq!(admitted(&mut quota, start + Duration::from_secs(1)), 50);
        let long_after = start + Duration::from_secs(3600);
        assert_eq!(admitted(&mut quota, long_after), 200);
    }

    #[test]
    fn a_few_long_lines_are_as_much_as_many_short_ones() {
        let mut quota = Quota::new(RATE);
        let now = Instant::now();
        assert!(quota.admits(1, 5000, now));
        assert!(!quota.admits(1, 1, now));
        assert!(!quota.admits(1, usize::MAX, now));
        assert!(quota.admits(1, 999, now + Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_is_let_through_whatever_comes(
            lines in proptest::collection::vec((0_u64..200, 0_usize..3000), 0..300)
        ) {
            let mut quota = Quota::new(RATE);
            let start = Instant::now();
            let (mut now, mut count, mut size, mut omitted) = (start, 0_u32, 0, 0);
            for (wait, bytes) in &lines {
                now += Duration::from_millis(*wait);
                if quota.admits(1, *bytes, now) {
                    count += 1;
                    size += bytes;
                } else {
                    omitted += 1;
                }
            }
            let seconds = (now - start).as_secs_f64();
            prop_assert!(f64::from(count) <= 201.0 + 50.0 * seconds, "{count} lines in {seconds} s");
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let size = size as f64;
            prop_assert!(size <= 5001.0 + 1000.0 * seconds, "{size} bytes in {seconds} s");
            prop_assert_eq!(quota.take_omitted().map_or(0, |omitted| omitted.lines), omitted);
        }
    }
}

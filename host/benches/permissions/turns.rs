//! Sides that are measured in turns.

use std::time::{Duration, Instant};

use crate::Outcome;

/// How much to measure.
pub struct Effort {
    pub samples: usize,
    /// Calls of a sample; its time is that of one call on average.
    pub calls: usize,
    /// Samples, of one call each, of what takes milliseconds.
    pub slow_samples: usize,
}

/// Something that can be done over and over.
pub type Side<'a> = Box<dyn FnMut() -> Outcome<()> + 'a>;

/// What the samples of one side say of a call.
#[derive(Clone, Copy)]
pub struct Times {
    pub median: Duration,
    pub p99: Duration,
}

impl Effort {
    pub fn fast<const N: usize>(&self, sides: [Side<'_>; N]) -> Outcome<[Times; N]> {
        take(self.samples, self.calls, sides)
    }

    pub fn slow<const N: usize>(&self, sides: [Side<'_>; N]) -> Outcome<[Times; N]> {
        take(self.slow_samples, 1, sides)
    }
}

fn take<const N: usize>(
    samples: usize,
    calls: usize,
    mut sides: [Side<'_>; N],
) -> Outcome<[Times; N]> {
    let mut taken = [const { Vec::new() }; N];
    // The first round warms up and does not count.
    for round in 0..=samples {
        for (side, taken) in sides.iter_mut().zip(&mut taken) {
            let started = Instant::now();
            for _ in 0..calls {
                side()?;
            }
            let elapsed = started.elapsed();
            if round > 0 {
                taken.push(elapsed / u32::try_from(calls)?);
            }
        }
    }
    Ok(taken.map(Times::of))
}

impl Times {
    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let last = samples.len().saturating_sub(1);
            let place = (samples.len() * percent / 100).min(last);
            samples.get(place).copied().unwrap_or_default()
        };
        Self {
            median: at(50),
            p99: at(99),
        }
    }
}

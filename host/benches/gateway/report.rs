//! The one table that a run ends with.
//!
//! A missed target is a line in the table and no failure: the machine may be slow, and a person decides what it means.

use std::fmt;
use std::time::Duration;

use crate::load::Round;

/// One line of the table.
pub struct Row {
    pub name: String,
    pub result: String,
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
    /// Processor time that the server spends on one request.
    pub cpu: Option<Duration>,
    pub verdict: Option<Verdict>,
}

/// A target, and whether it is met.
pub struct Verdict {
    target: String,
    is_met: bool,
}

impl Verdict {
    pub fn at_least(ratio: f64, target: f64, of_what: &str) -> Self {
        Self {
            target: format!("{ratio:.2} of {of_what}, target at least {target:.2}"),
            is_met: ratio >= target,
        }
    }

    pub fn at_most(ratio: f64, limit: f64, of_what: &str) -> Self {
        Self {
            target: format!("{ratio:.2} times {of_what}, target at most {limit:.2}"),
            is_met: ratio <= limit,
        }
    }

    /// Whether nobody was left out.
    pub fn all(served: usize, of: usize) -> Self {
        Self {
            target: format!("{served} of {of}, target all"),
            is_met: served == of,
        }
    }

    pub fn below<T: PartialOrd + Copy>(measured: T, limit: T, limit_text: &str) -> Self {
        Self {
            target: format!("target below {limit_text}"),
            is_met: measured < limit,
        }
    }
}

impl Row {
    pub fn new(name: &str, result: String) -> Self {
        Self {
            name: name.to_owned(),
            result,
            p50: None,
            p99: None,
            cpu: None,
            verdict: None,
        }
    }

    /// A round under load.
    pub fn of_round(name: &str, round: &Round, cpu: Option<Duration>) -> Self {
        Self {
            p50: Some(round.percentile(50)),
            p99: Some(round.percentile(99)),
            cpu,
            ..Self::new(name, format!("{:.0}/s", round.rate()))
        }
    }

    /// Repeated single measurements.
    pub fn of_times(name: &str, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let last = times.len().saturating_sub(1);
            times.get((times.len() * percent / 100).min(last)).copied()
        };
        let median = at(50).unwrap_or_default();
        Self {
            p50: at(50),
            p99: at(99),
            ..Self::new(name, duration(median))
        }
    }

    /// For what shows what the machine can do, and has no target of its own.
    pub fn without_verdict(mut self) -> Self {
        self.verdict = None;
        self
    }

    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }
}

/// Rows under their heading.
pub struct Table(pub Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Row| {
            let optional = |value: Option<Duration>| value.map(duration).unwrap_or_default();
            [
                row.name.clone(),
                row.result.clone(),
                optional(row.p50),
                optional(row.p99),
                optional(row.cpu),
                row.verdict
                    .as_ref()
                    .map(|verdict| {
                        let word = if verdict.is_met { "met" } else { "MISSED" };
                        format!("{word}: {}", verdict.target)
                    })
                    .unwrap_or_default(),
            ]
        };
        let heading = [
            "measurement",
            "result",
            "p50",
            "p99",
            "CPU/request",
            "target",
        ]
        .map(str::to_owned);
        let lines: Vec<_> = std::iter::once(heading)
            .chain(self.0.iter().map(cells))
            .collect();
        let width = |column: usize| {
            let lengths = lines.iter().filter_map(|line| line.get(column));
            lengths.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        for line in &lines {
            let padded = line
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 | 5 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

fn duration(duration: Duration) -> String {
    match duration.as_nanos() {
        0..1_000_000 => format!("{:.1} µs", duration.as_secs_f64() * 1e6),
        _ => format!("{:.2} ms", duration.as_secs_f64() * 1e3),
    }
}

pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The size of a body, which is a round number.
pub fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{} GB", bytes / 1_000_000_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

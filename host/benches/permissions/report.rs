//! The one table that a run ends with.
//!
//! A missed limit is a line in the table and no failure: the machine may be slow, and a person decides what it means.

use std::fmt;
use std::time::Duration;

use crate::turns::Times;

/// One line: what was measured, and what it is compared with.
pub struct Row {
    name: String,
    times: Times,
    beside: Option<(String, Times)>,
    limit: Option<Limit>,
}

enum Limit {
    /// Times what it is compared with.
    Ratio(f64),
    Median(Duration),
}

impl Row {
    pub fn new(name: impl Into<String>, times: Times) -> Self {
        Self {
            name: name.into(),
            times,
            beside: None,
            limit: None,
        }
    }

    pub fn beside(mut self, what: impl Into<String>, times: Times) -> Self {
        self.beside = Some((what.into(), times));
        self
    }

    pub fn at_most_times(mut self, ratio: f64) -> Self {
        self.limit = Some(Limit::Ratio(ratio));
        self
    }

    pub fn at_most(mut self, median: Duration) -> Self {
        self.limit = Some(Limit::Median(median));
        self
    }

    fn ratio(&self) -> Option<f64> {
        let (_, beside) = self.beside.as_ref()?;
        Some(self.times.median.as_secs_f64() / beside.median.as_secs_f64())
    }

    fn verdict(&self) -> Option<String> {
        let (is_met, limit) = match self.limit.as_ref()? {
            Limit::Ratio(limit) => (self.ratio()? <= *limit, format!("at most {limit} times")),
            Limit::Median(limit) => (
                self.times.median <= *limit,
                format!("at most {}", time(*limit)),
            ),
        };
        Some(format!(
            "{}: {limit}",
            if is_met { "met" } else { "MISSED" }
        ))
    }

    fn cells(&self) -> [String; 7] {
        let (beside, beside_median) = match &self.beside {
            Some((what, times)) => (what.clone(), time(times.median)),
            None => Default::default(),
        };
        [
            self.name.clone(),
            time(self.times.median),
            time(self.times.p99),
            beside,
            beside_median,
            self.ratio()
                .map(|ratio| format!("{ratio:.2}"))
                .unwrap_or_default(),
            self.verdict().unwrap_or_default(),
        ]
    }
}

/// Rows under their heading.
pub struct Table(pub Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = [
            "measurement",
            "median",
            "p99",
            "beside",
            "its median",
            "ratio",
            "limit",
        ];
        let lines: Vec<_> = std::iter::once(heading.map(str::to_owned))
            .chain(self.0.iter().map(Row::cells))
            .collect();
        let width = |column: usize| {
            let lengths = lines.iter().filter_map(|line| line.get(column));
            lengths.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 7] = std::array::from_fn(width);
        for line in &lines {
            let cells = line.iter().zip(widths).enumerate();
            let padded = cells.map(|(column, (cell, width))| match column {
                0 | 3 | 6 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

fn time(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000 => format!("{} ns", time.as_nanos()),
        1_000..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        _ => format!("{:.2} ms", time.as_secs_f64() * 1e3),
    }
}

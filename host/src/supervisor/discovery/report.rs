//! What the log says about mngr's output, without letting it fill the log.
//!
//! What mngr writes may come from agents: it is cut to a length and freed of control characters. The same trouble of a
//! provider is told once, and its end; of other things the first few in a while are told and the rest counted.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::event::Failure;

const LONGEST_TEXT: usize = 1_000;
const LONGEST_EXCERPT: usize = 100;
/// Of how many providers, hosts and agents the trouble is remembered.
const LIMIT_OF_TROUBLES: usize = 1_000;

/// What the log knows already.
#[derive(Debug)]
pub(super) struct Report {
    skipped: Quota,
    diagnostics: Quota,
    troubles: HashMap<String, String>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            skipped: Quota::new(5, Duration::from_secs(10 * 60)),
            diagnostics: Quota::new(100, Duration::from_secs(60)),
            troubles: HashMap::new(),
        }
    }

    /// A line, or something in it, is not used.
    pub(super) fn skipped(
        &mut self,
        what: &str,
        reason: impl fmt::Display,
        line: &[u8],
        now: Instant,
    ) {
        let Some(untold) = self.skipped.take(now) else {
            return;
        };
        if untold > 0 {
            tracing::warn!("{untold} more of mngr's lines could not be used as they are");
        }
        tracing::warn!(
            beginning = printable(line, LONGEST_EXCERPT),
            length = line.len(),
            "{what} is skipped: {}",
            printable(reason.to_string().as_bytes(), LONGEST_TEXT)
        );
    }

    /// mngr wrote a line for people. Gives back what of it can be shown.
    pub(super) fn diagnostic(&mut self, line: &[u8], now: Instant) -> String {
        let text = printable(line, LONGEST_TEXT);
        if let Some(untold) = self.diagnostics.take(now) {
            if untold > 0 {
                tracing::info!(target: "mngr", "({untold} more lines were left out)");
            }
            tracing::info!(target: "mngr", "{text}");
        }
        text
    }

    /// mngr could not look at something.
    pub(super) fn trouble(&mut self, failure: &Failure) {
        let source = printable(failure.source.as_bytes(), LONGEST_EXCERPT);
        let message = printable(failure.message.as_bytes(), LONGEST_TEXT);
        if self.troubles.get(&source) == Some(&message) {
            return;
        }
        tracing::warn!("mngr has trouble with '{source}'; its agents are kept: {message}");
        if self.troubles.len() >= LIMIT_OF_TROUBLES {
            self.troubles.clear();
        }
        self.troubles.insert(source, message);
    }

    /// mngr could look at everything of `provider`.
    pub(super) fn well(&mut self, provider: &str) {
        if self.troubles.is_empty() {
            return;
        }
        let source = printable(provider.as_bytes(), LONGEST_EXCERPT);
        if self.troubles.remove(&source).is_some() {
            tracing::info!("mngr has no more trouble with '{source}'");
        }
    }

    /// mngr could look at everything but `failures`.
    pub(super) fn well_but(&mut self, failures: &[Failure]) {
        let well: Vec<String> = self
            .troubles
            .keys()
            .filter(|source| failures.iter().all(|failure| failure.source != **source))
            .cloned()
            .collect();
        for source in well {
            self.well(&source);
        }
    }
}

/// The beginning of `bytes`, on one line and without control characters.
pub(super) fn printable(bytes: &[u8], longest: usize) -> String {
    // Bytes for the longest characters, so that a cut in one of them is not seen.
    let beginning = bytes.get(..longest * 4 + 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(beginning);
    let mut characters = text.trim_end().chars();
    let mut printable: String = characters
        .by_ref()
        .take(longest)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if characters.next().is_some() {
        printable.push('…');
    }
    printable
}

/// Lets so many through in a while.
#[derive(Debug)]
struct Quota {
    number: u32,
    period: Duration,
    began: Option<Instant>,
    used: u32,
    untold: u64,
}

impl Quota {
    fn new(number: u32, period: Duration) -> Self {
        Self {
            number,
            period,
            began: None,
            used: 0,
            untold: 0,
        }
    }

    /// Whether one more goes through; if so, how many did not before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let is_over = self
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= self.period);
        if is_over {
            self.began = Some(now);
            self.used = 0;
        }
        if self.used == self.number {
            self.untold += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_told_and_the_rest_is_counted() {
        let mut quota = Quota::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let mut take = |second| quota.take(start + Duration::from_secs(second));
        let told: Vec<_> = [0, 1, 2, 59, 60, 61, 62, 200].map(&mut take).to_vec();
        let expected = [
            Some(0),
            Some(0),
            None,
            None,
            Some(2),
            Some(0),
            None,
            Some(1),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_shown_is_short_and_has_no_control_characters() {
        assert_eq!(printable(b"\x1b[31mred\x07\ttab\r\n", 50), " [31mred  tab");
        assert_eq!(printable("äöü".as_bytes(), 2), "äö…");
        assert_eq!(printable("äöü".as_bytes(), 3), "äöü");
        assert_eq!(printable(b"\xff", 3), "\u{fffd}");
        let long = printable(&vec![b'x'; 1 << 20], 10);
        assert_eq!(long, "xxxxxxxxxx…");
    }

    #[test]
    fn trouble_ends_only_for_those_that_are_well() {
        let failure = |source: &str, message: &str| Failure {
            source: source.to_owned(),
            message: message.to_owned(),
        };
        let mut report = Report::new();
        report.trouble(&failure("a", "1"));
        report.trouble(&failure("b", "1"));
        report.trouble(&failure("b", "2"));
        report.well("a");
        report.well("unheard of");
        assert_eq!(report.troubles, HashMap::from([("b".into(), "2".into())]));
        report.trouble(&failure("c", "1"));
        report.well_but(&[failure("c", "other")]);
        assert_eq!(report.troubles, HashMap::from([("c".into(), "1".into())]));
        for number in 0..3 * LIMIT_OF_TROUBLES {
            report.trouble(&failure(&number.to_string(), "x"));
        }
        assert!(report.troubles.len() <= LIMIT_OF_TROUBLES);
    }
}

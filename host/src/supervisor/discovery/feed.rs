//! From a line that mngr wrote to the handler's calls.

use std::sync::Arc;
use std::time::Instant;

use super::AgentHandler;
use super::event::{self, Event, Scope};
use super::known::{Change, Known};
use super::lines::Line;
use super::report::Report;
use super::status::Shared;

/// The longest line that is taken as an event.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// What is known, and who is told.
pub(super) struct Feed {
    known: Known,
    report: Report,
    handler: Box<dyn AgentHandler>,
    shared: Arc<Shared>,
}

impl Feed {
    pub(super) fn new(handler: Box<dyn AgentHandler>, shared: Arc<Shared>) -> Self {
        Self {
            known: Known::default(),
            report: Report::new(),
            handler,
            shared,
        }
    }

    /// Another mngr begins to write.
    pub(super) fn begin(&mut self) {
        self.known.observer_started();
    }

    /// mngr wrote a line for programs.
    pub(super) fn event(&mut self, line: &Line<'_>) {
        let now = Instant::now();
        let line = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => return,
            Line::Whole(line) => line,
            Line::TooLong(length) => {
                let reason = format!("it has {length} bytes, more than {LONGEST_LINE}");
                return self.report.skipped("a line of mngr's", reason, b"", now);
            }
        };
        let parsed = match event::parse(line) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return self.shared.heard(self.known.number_of_agents()),
            Err(reason) => return self.report.skipped("a line of mngr's", reason, line, now),
        };
        for flaw in parsed.flaws {
            self.report
                .skipped("a part of a line of mngr's", flaw, line, now);
        }
        self.note_trouble(&parsed.event);
        for change in self.known.apply(parsed.event, now) {
            match change {
                Change::Discovered(agent) => self.handler.discovered(&agent),
                Change::Destroyed(agent, host) => self.handler.destroyed(&agent, &host),
            }
        }
        self.shared.heard(self.known.number_of_agents());
    }

    /// mngr wrote a line for people. Gives back what of it can be shown.
    pub(super) fn diagnostic(&mut self, line: &Line<'_>) -> Option<String> {
        match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => None,
            Line::Whole(line) => Some(self.report.diagnostic(line, Instant::now())),
            Line::TooLong(length) => {
                let text = format!("(a line of {length} bytes)");
                Some(self.report.diagnostic(text.as_bytes(), Instant::now()))
            }
        }
    }

    fn note_trouble(&mut self, event: &Event) {
        match event {
            Event::Error(failure) => self.report.trouble(failure),
            Event::Snapshot(snapshot) => match &snapshot.scope {
                Scope::Everything { failed, .. } => {
                    failed
                        .iter()
                        .for_each(|failure| self.report.trouble(failure));
                    self.report.well_but(failed);
                }
                Scope::Provider { name, failed, .. } => match failed {
                    Some(failure) => self.report.trouble(failure),
                    None => self.report.well(name),
                },
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

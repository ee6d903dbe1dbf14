//! The rules of an explanation, one after the other, with the reasons.

use std::fmt;

use super::{Mark, Page};
use crate::permissions::Mismatch;
use crate::permissions::explain::{HookOutcome, PermissionStep, RuleOutcome, RuleStep};

/// How many reasons are shown of one schema, unless all are asked for.
const REASONS: usize = 3;
/// So many rules in a row that say nothing of interest become one line.
const MANY: usize = 6;

impl Page {
    pub(super) fn rules(&mut self, rules: &[RuleStep]) -> fmt::Result {
        if rules.is_empty() {
            return Ok(());
        }
        let mut file = None;
        let scopes = rules.iter().map(|rule| rule.place.scope.chars().count());
        let width = scopes.max().unwrap_or_default().min(40);
        for run in rules.chunk_by(are_alike) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            self.rule_heading(first, &mut file)?;
            if self.is_whole || run.len() < MANY {
                for rule in run {
                    self.rule(rule, width)?;
                }
                continue;
            }
            let (mark, what) = match first.outcome {
                RuleOutcome::Passed => (Mark::No, "for other hosts"),
                _ => (Mark::Skipped, "not asked"),
            };
            self.text.push_str("  ");
            self.mark(mark)?;
            let count = run.len();
            let (from, to) = (first.place.index, last.place.index);
            self.line(
                " ",
                &format!("{from}–{to}  {count} rules {what}; -v shows each"),
            )?;
        }
        Ok(())
    }

    fn rule_heading<'r>(&mut self, rule: &'r RuleStep, file: &mut Option<&'r str>) -> fmt::Result {
        if *file == Some(rule.place.file.as_str()) {
            return Ok(());
        }
        *file = Some(&rule.place.file);
        self.heading(&format!("Rules of {}", rule.place.file))
    }

    fn rule(&mut self, rule: &RuleStep, width: usize) -> fmt::Result {
        let (mark, what) = match rule.outcome {
            RuleOutcome::Passed => (Mark::No, String::new()),
            RuleOutcome::Decides => (Mark::Yes, "its scope matches, so it decides".to_owned()),
            RuleOutcome::Failed => (Mark::No, rule.error.clone().unwrap_or_default()),
            RuleOutcome::NotReached => (Mark::Skipped, "not asked".to_owned()),
            RuleOutcome::NotReachedButAllows => {
                (Mark::Skipped, "not asked; it would allow this".to_owned())
            }
        };
        let mut reasons = self.reasons(&rule.reasons, &rule.place.scope).into_iter();
        let what = reasons.next().unwrap_or(what);
        self.text.push_str("  ");
        self.mark(mark)?;
        let lead = format!(" {:>2}  {:<width$}  ", rule.place.index, rule.place.scope);
        self.line(&lead, &what)?;
        let indent = " ".repeat(lead.chars().count() + 3);
        for reason in reasons {
            self.line(&indent, &reason)?;
        }
        self.decision(rule)
    }

    /// Hooks and permissions of the rule that decides.
    fn decision(&mut self, rule: &RuleStep) -> fmt::Result {
        for hook in &rule.hooks {
            let (mark, what) = match hook.outcome {
                HookOutcome::Passed => (Mark::Yes, "passed"),
                HookOutcome::Denied => (Mark::No, "denied"),
                HookOutcome::Failed => (Mark::No, "failed"),
                HookOutcome::NotRun => (Mark::Skipped, "not run"),
            };
            self.text.push_str("       ");
            self.mark(mark)?;
            self.line(" hook ", &format!("{}  {what}", hook.hook))?;
        }
        if rule.outcome != RuleOutcome::Decides {
            return Ok(());
        }
        match rule.permissions.as_deref() {
            None => self.line("       ", "it asks for no permission"),
            Some([]) => self.line("       ", "it lists no permission, so it denies"),
            Some(permissions) => self.permissions(permissions),
        }
    }

    fn permissions(&mut self, permissions: &[PermissionStep]) -> fmt::Result {
        let names = permissions
            .iter()
            .map(|permission| permission.name.chars().count());
        let width = names.max().unwrap_or_default().min(40);
        for permission in permissions {
            let (mark, what) = match &permission.error {
                _ if permission.matches => (Mark::Yes, "matches".to_owned()),
                Some(error) => (Mark::No, error.clone()),
                None => (Mark::No, String::new()),
            };
            let mut reasons = self
                .reasons(&permission.reasons, &permission.name)
                .into_iter();
            let what = reasons.next().unwrap_or(what);
            self.text.push_str("       ");
            self.mark(mark)?;
            let lead = format!(" {:<width$}  ", permission.name);
            self.line(&lead, &what)?;
            let indent = " ".repeat(lead.chars().count() + 8);
            for reason in reasons {
                self.line(&indent, &reason)?;
            }
        }
        Ok(())
    }

    /// Each reason of the schema `owner` as a line; of alternatives, those that come closest.
    fn reasons(&self, reasons: &[Mismatch], owner: &str) -> Vec<String> {
        // Where the host is another one, the rest does not matter.
        let elsewhere = reasons.iter().find(|reason| is_about_host(reason));
        let reasons = match elsewhere.filter(|_| !self.is_whole) {
            Some(reason) => std::slice::from_ref(reason),
            None => reasons,
        };
        let mut lines = Vec::new();
        for reason in reasons {
            if reason.alternatives.is_empty() {
                lines.push(told(reason, owner));
                continue;
            }
            let mut alternatives: Vec<_> = reason.alternatives.iter().collect();
            alternatives.sort_by_key(|alternative| alternative.len());
            for alternative in alternatives {
                let parts = self.reasons(alternative, owner);
                let start = if lines.is_empty() { "" } else { "or " };
                lines.push(format!("{start}{}", parts.join("; ")));
            }
        }
        if !self.is_whole && lines.len() > REASONS + 1 {
            let more = lines.len() - REASONS;
            lines.truncate(REASONS);
            lines.push(format!("and {more} more like this; -v shows all"));
        }
        lines
    }
}

/// Whether one line will do for both, for they are of no interest.
fn are_alike(one: &RuleStep, other: &RuleStep) -> bool {
    let is_dull = match one.outcome {
        RuleOutcome::Passed => [one, other]
            .iter()
            .all(|rule| rule.reasons.iter().any(is_about_host)),
        outcome => outcome == RuleOutcome::NotReached,
    };
    is_dull && one.outcome == other.outcome && one.place.file == other.place.file
}

/// The host is another one.
fn is_about_host(reason: &Mismatch) -> bool {
    reason.at == "/domain"
}

/// A reason with its place, and with the schema that it stands in if that is another one than `owner`.
fn told(reason: &Mismatch, owner: &str) -> String {
    let schema = if reason.schema == owner {
        String::new()
    } else {
        format!("{} ", reason.schema)
    };
    format!("{reason}  ({schema}{})", reason.place)
}

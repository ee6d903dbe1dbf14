//! What came of the cases, for people and for programs. Headers and bodies are never shown.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::super::failure::Failure;
use super::super::super::options::Options;
use super::super::super::output;
use super::super::check;
use super::file::Shown;
use crate::permissions::cases::{Case, ExpectedRule, Outcome};

/// Every case with what came of it.
pub(super) struct Report<'a> {
    pub cases: Vec<Judged<'a>>,
    pub other: Option<Other>,
}

/// The permissions file that is compared with.
pub(super) struct Other(pub PathBuf);

pub(super) struct Judged<'a> {
    pub case: &'a Case,
    pub shown: Shown,
    pub outcome: Outcome,
    /// What the file that is compared with says.
    pub before: Option<Outcome>,
}

impl Judged<'_> {
    fn passed(&self) -> bool {
        self.outcome.meets(&self.case.expected)
    }

    /// What the other file said, if it said something else.
    fn changed_from(&self) -> Option<&Outcome> {
        let before = self.before.as_ref()?;
        self.outcome.differs_from(before).then_some(before)
    }

    fn as_json(&self) -> Value {
        let expected = &self.case.expected;
        let mut wanted = json!({"verdict": expected.answer.word()});
        match &expected.rule {
            ExpectedRule::Whichever => {}
            ExpectedRule::None => put(&mut wanted, "rule", Value::Null),
            ExpectedRule::Scope(scope) => put(&mut wanted, "rule", scope.as_str().into()),
        }
        let mut value = json!({
            "name": self.case.name,
            "request": {"method": self.shown.method, "url": self.shown.url},
            "expected": wanted,
            "passed": self.passed(),
        });
        add_outcome(&mut value, &self.outcome);
        if let Some(before) = &self.before {
            let mut against = json!({});
            add_outcome(&mut against, before);
            put(&mut value, "against", against);
            put(&mut value, "changed", self.changed_from().is_some().into());
        }
        value
    }

    fn failure(&self) -> String {
        let expected = &self.case.expected;
        let wanted = match &expected.rule {
            ExpectedRule::Whichever => expected.answer.word().to_owned(),
            ExpectedRule::None => format!("{} by no rule", expected.answer.word()),
            ExpectedRule::Scope(scope) => {
                format!("{} by a rule for {scope}", expected.answer.word())
            }
        };
        format!(
            "FAILED   {}: {} {}: expected {wanted}, got {} ({})",
            self.case.name,
            self.shown.method,
            self.shown.url,
            self.outcome.answer().word(),
            reason(&self.outcome)
        )
    }

    fn change(&self) -> Option<String> {
        let before = self.changed_from()?;
        Some(format!(
            "CHANGED  {}: {} {}: {} -> {} (before: {}; now: {})",
            self.case.name,
            self.shown.method,
            self.shown.url,
            before.answer().word(),
            self.outcome.answer().word(),
            reason(before),
            reason(&self.outcome)
        ))
    }
}

impl Report<'_> {
    pub(super) fn all_passed(&self) -> bool {
        self.cases.iter().all(Judged::passed)
    }

    pub(super) fn print(&self, options: &Options) -> Result<(), Failure> {
        if options.is_json() {
            return self
                .cases
                .iter()
                .try_for_each(|case| output::json_line(&case.as_json()));
        }
        let failed = self.cases.iter().filter(|case| !case.passed());
        let lines = failed.map(Judged::failure);
        let lines = lines.chain(self.cases.iter().filter_map(Judged::change));
        for line in lines.chain([self.summary()]) {
            output::line(&plain(&line))?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let failed = self.cases.iter().filter(|case| !case.passed()).count();
        let plural = if self.cases.len() == 1 { "" } else { "s" };
        let mut summary = format!(
            "{} case{plural}: {} as expected, {failed} failed",
            self.cases.len(),
            self.cases.len() - failed
        );
        if let Some(Other(other)) = &self.other {
            let changed = self.cases.iter().filter_map(Judged::changed_from).count();
            summary.push_str(&format!("; {changed} changed since {}", other.display()));
        }
        summary
    }
}

fn reason(outcome: &Outcome) -> String {
    match &outcome.0 {
        Ok(verdict) => check::reason(verdict),
        Err(error) => error.to_string(),
    }
}

fn add_outcome(value: &mut Value, outcome: &Outcome) {
    let error = outcome.0.as_ref().err();
    let verdict = outcome.0.as_ref().ok();
    put(value, "verdict", outcome.answer().word().into());
    let rule = verdict.and_then(|verdict| verdict.rule.as_ref());
    let rule = rule.map(|rule| {
        json!({"index": rule.index, "scope": &*rule.scope, "file": rule.file.to_string_lossy()})
    });
    put(value, "rule", rule.into());
    let matched = verdict.and_then(|verdict| verdict.matched.as_deref());
    put(value, "matched", matched.into());
    if let Some(error) = error {
        put(value, "error", error.to_string().into());
    }
}

fn put(value: &mut Value, key: &str, member: Value) {
    if let Value::Object(members) = value {
        members.insert(key.to_owned(), member);
    }
}

/// Names and URLs may hold anything, also what a terminal would obey or what would begin a line.
fn plain(line: &str) -> String {
    line.chars()
        .filter(|character| !character.is_control())
        .collect()
}

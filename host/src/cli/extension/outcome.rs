//! What became of extensions, and what states they are in, in words.

use serde_json::Value;

use super::gateways::{Answers, none_runs};
use super::printable;
use crate::cli::failure::Failure;
use crate::extensions::report::{ExtensionReport, Origin, Outcome, Reloaded, State};
use crate::store::paths::LatchkeyDirectory;

pub(super) fn state_in_words(state: State) -> &'static str {
    match state {
        State::Serving => "serving",
        State::OutOfService => "out of service",
        State::Disabled => "disabled",
        State::Refused => "refused",
    }
}

pub(super) fn origin_in_words(origin: Origin) -> &'static str {
    match origin {
        Origin::Bundled => "bundled",
        Origin::Installed => "installed",
    }
}

/// What the gateways that run have made of a change.
pub(super) struct Taken(Answers<Vec<Reloaded>>);

impl Taken {
    pub(super) fn new(answers: Answers<Vec<Reloaded>>) -> Self {
        Self(answers)
    }

    /// The same after a removal, where `left` is what the gateways have afterwards: what is not there is removed, also when a
    /// gateway had noticed before it was told, and knew nothing of that name any more.
    pub(super) fn of_removal(
        mut answers: Answers<Vec<Reloaded>>,
        left: &Answers<Vec<ExtensionReport>>,
    ) -> Self {
        for (gateway, reloaded) in &mut answers.given {
            let left = left.given.iter().find(|(one, _)| one.pid == gateway.pid);
            for one in reloaded {
                if left.is_some_and(|(_, left)| left.iter().all(|left| left.name != one.name)) {
                    one.outcome = Outcome::Removed;
                }
            }
        }
        Self(answers)
    }

    /// Whether there was nobody to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_json(&self) -> Value {
        self.0.as_json("reloaded")
    }

    /// A line for each extension of each gateway, and one that says so when there is none.
    pub(super) fn as_text(&self, directory: &LatchkeyDirectory) -> String {
        if self.is_empty() {
            return format!(
                "{}: the next one takes it at its start\n",
                none_runs(directory)
            );
        }
        let mut text = String::new();
        for (gateway, reloaded) in &self.0.given {
            let whose = match self.0.has_several() {
                true => format!(" by the gateway with pid {}", gateway.pid),
                false => String::new(),
            };
            for Reloaded { name, outcome } in reloaded {
                let (became, why) = match outcome {
                    Outcome::Added => ("added", None),
                    Outcome::Replaced => ("replaced", None),
                    Outcome::Removed => ("removed", None),
                    Outcome::Disabled => ("disabled", None),
                    Outcome::Unchanged => ("unchanged", None),
                    Outcome::Refused(why) => ("refused", Some(why)),
                };
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                let line = format!("{name}: {became}{whose}{why}");
                text.push_str(&printable(&line));
                text.push('\n');
            }
        }
        text
    }

    /// The exit code: fails when a gateway has refused something, or has not answered.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        self.0.expect_all()?;
        let mut outcomes = self.0.given.iter().flat_map(|(_, reloaded)| reloaded);
        match outcomes.any(|one| matches!(one.outcome, Outcome::Refused(_))) {
            true => Err(Failure::Answered(1)),
            false => Ok(()),
        }
    }
}

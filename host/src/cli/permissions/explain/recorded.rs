//! A denial of the past: what was decided then, and what the log does not have of the request.

use serde_json::{Value, json};

use crate::gateway::denials::{Cause, Denial, Withholding};

/// A denial that the log has.
pub(super) struct Recorded(Denial);

impl Recorded {
    pub(super) fn new(denial: Denial) -> Self {
        Self(denial)
    }

    pub(super) fn as_json(&self) -> Value {
        let denial = &self.0;
        let (rule, hook, error) = match &denial.cause {
            Cause::NoRule => (Value::Null, None, None),
            Cause::Rule { rule, hook } => (
                json!({"index": rule.index, "scope": rule.scope, "file": rule.file.to_string_lossy()}),
                hook.as_ref(),
                None,
            ),
            Cause::Error(error) => (Value::Null, None, Some(error)),
        };
        let withheld = denial.request.withheld();
        json!({
            "request_id": denial.request_id,
            "at": denial.at,
            "verdict": denial.cause.verdict(),
            "rule": rule,
            "denied_by": hook,
            "error": error,
            "enforced": denial.enforced,
            "file": denial.permissions.to_string_lossy(),
            "host_id": denial.host,
            "withheld": withheld
                .iter()
                .map(|part| json!({"at": part.place, "how": how(part.how)}))
                .collect::<Vec<_>>(),
        })
    }

    /// For people: what was decided then, and what is not known any more.
    pub(super) fn lines(&self) -> Vec<String> {
        let denial = &self.0;
        let enforced = if denial.enforced {
            ""
        } else {
            ", let through in observe mode"
        };
        let cause = match &denial.cause {
            Cause::NoRule => "no rule's scope matched".to_owned(),
            Cause::Rule { rule, hook } => {
                let why = match hook {
                    Some(hook) => format!("the hook {hook} denied"),
                    None => "none of its permissions matched".to_owned(),
                };
                format!(
                    "rule {} of {}: scope {}, {why}",
                    rule.index,
                    rule.file.display(),
                    rule.scope
                )
            }
            Cause::Error(error) => error.clone(),
        };
        let mut lines = vec![
            format!("{} at {:.0}{enforced}", denial.cause.verdict(), denial.at),
            cause,
        ];
        let withheld = denial.request.withheld();
        if !withheld.is_empty() {
            let parts = withheld.iter();
            let parts: Vec<_> = parts
                .map(|part| format!("{} ({})", part.place.trim_start_matches('/'), how(part.how)))
                .collect();
            lines.push(format!(
                "the log does not have: {}; rules that look at these may decide otherwise here",
                parts.join(", ")
            ));
        }
        lines
    }
}

fn how(how: Withholding) -> &'static str {
    match how {
        Withholding::Hidden => "hidden",
        Withholding::Cut => "cut",
        Withholding::Omitted => "omitted",
    }
}

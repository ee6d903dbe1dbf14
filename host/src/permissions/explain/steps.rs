//! Rule by rule: whose scope matches, and what the rule that decides says.

use serde::Serialize;
use serde_json::Value;

use super::super::decision::{Permitted, Resolved, Verdict};
use super::super::schema::{Mismatch, NodeId};
use super::super::{CheckError, Request};
use super::dissection::Dissection;
use super::{Hooks, RulePlace};

/// One rule, as far as it was looked at. It shows parts of the request, so it is not for `Debug`.
#[derive(Serialize)]
pub struct RuleStep {
    #[serde(flatten)]
    pub place: RulePlace,
    pub outcome: RuleOutcome,
    /// Why the scope does not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Mismatch>,
    /// What keeps the scope from being evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The hooks of the rule that decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookStep>,
    /// The permissions of the rule that decides; none where it lets through whatever its hooks do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<PermissionStep>>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// Its scope does not match.
    Passed,
    Decides,
    /// Its scope cannot be evaluated, which ends the check.
    Failed,
    /// An earlier rule has ended the check; this one would not let the request through.
    NotReached,
    /// An earlier rule has ended the check; this one would let the request through.
    NotReachedButAllows,
}

/// One hook of the rule that decides.
#[derive(Serialize)]
pub struct HookStep {
    pub hook: String,
    pub outcome: HookOutcome,
}

/// What became of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HookOutcome {
    Passed,
    Denied,
    Failed,
    NotRun,
}

/// One permission of the rule that decides.
#[derive(Serialize)]
pub struct PermissionStep {
    pub name: String,
    pub matches: bool,
    /// Why it does not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Mismatch>,
    /// What keeps it from being evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Every rule in order. `verdict` is the engine's; it has none where hooks that were skipped have the last word.
pub(super) fn of(
    dissection: &Dissection,
    request: &Request,
    shown: &Value,
    verdict: &Result<Option<Verdict>, CheckError>,
    hooks: Hooks,
) -> Vec<RuleStep> {
    let mut is_over = false;
    let mut steps = Vec::with_capacity(dissection.rules.rules.len());
    for rule in &dissection.rules.rules {
        let place = Dissection::place(rule);
        if is_over {
            let outcome = match dissection.alone(rule, request) {
                Permitted::No => RuleOutcome::NotReached,
                Permitted::Unrestricted | Permitted::By(_) => RuleOutcome::NotReachedButAllows,
            };
            steps.push(RuleStep::new(place, outcome));
            continue;
        }
        let (reasons, error) = explained(dissection, rule.scope.id, request, shown);
        is_over = reasons.is_empty();
        steps.push(match (error, reasons.is_empty()) {
            (Some(error), _) => RuleStep {
                error: Some(error),
                ..RuleStep::new(place, RuleOutcome::Failed)
            },
            (None, false) => RuleStep {
                reasons,
                ..RuleStep::new(place, RuleOutcome::Passed)
            },
            (None, true) => RuleStep {
                hooks: hook_steps(rule, verdict, hooks),
                permissions: permission_steps(dissection, rule, request, shown),
                ..RuleStep::new(place, RuleOutcome::Decides)
            },
        });
    }
    steps
}

impl RuleStep {
    fn new(place: RulePlace, outcome: RuleOutcome) -> Self {
        Self {
            place,
            outcome,
            reasons: Vec::new(),
            error: None,
            hooks: Vec::new(),
            permissions: None,
        }
    }
}

/// Why a schema does not match, or why it cannot be evaluated; neither where it matches.
fn explained(
    dissection: &Dissection,
    schema: NodeId,
    request: &Request,
    shown: &Value,
) -> (Vec<Mismatch>, Option<String>) {
    let found = dissection
        .diagnostics()
        .mismatches(schema, request.as_value(), shown);
    match found {
        Ok(reasons) => (reasons, None),
        Err(fault) => {
            let error = dissection.rules.unusable(fault).to_string();
            (Vec::new(), Some(error))
        }
    }
}

fn permission_steps(
    dissection: &Dissection,
    rule: &Resolved,
    request: &Request,
    shown: &Value,
) -> Option<Vec<PermissionStep>> {
    let permissions = rule.permissions.as_ref()?;
    let step = |name: &str, id| {
        let (reasons, error) = explained(dissection, id, request, shown);
        PermissionStep {
            name: name.to_owned(),
            matches: reasons.is_empty() && error.is_none(),
            reasons,
            error,
        }
    };
    let list = permissions.list.iter();
    Some(
        list.map(|permission| step(&permission.name, permission.id))
            .collect(),
    )
}

/// What became of each hook, as the verdict tells: they run in order, up to the first that does not pass.
fn hook_steps(
    rule: &Resolved,
    verdict: &Result<Option<Verdict>, CheckError>,
    hooks: Hooks,
) -> Vec<HookStep> {
    let (culprit, end) = match verdict {
        Ok(Some(verdict)) => (verdict.denied_by.as_deref(), HookOutcome::Denied),
        Err(CheckError::Hook { hook, .. }) => (Some(hook.as_str()), HookOutcome::Failed),
        Ok(None) | Err(_) => (None, HookOutcome::Passed),
    };
    let mut next = match hooks {
        Hooks::Run => HookOutcome::Passed,
        Hooks::Skip => HookOutcome::NotRun,
    };
    let step = |hook: &String| {
        let mut outcome = next;
        if outcome == HookOutcome::Passed && Some(hook.as_str()) == culprit {
            outcome = end;
            next = HookOutcome::NotRun;
        }
        HookStep {
            hook: hook.clone(),
            outcome,
        }
    };
    rule.hooks.iter().map(step).collect()
}

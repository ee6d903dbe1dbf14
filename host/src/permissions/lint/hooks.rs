//! Hooks that cannot be run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::policy::Policy;
use super::{Code, Finding};
use crate::permissions::include::{PlacedRule, normalise};

pub(super) fn look(policy: &Policy, findings: &mut Vec<Finding>) {
    for placed in policy.rules() {
        for (position, hook) in placed.rule.hooks.iter().enumerate() {
            findings.extend(look_at(placed, position, hook));
        }
    }
}

/// One without a `/` is looked for on the `PATH` that the gateway has, which is not known here.
fn look_at(placed: &PlacedRule, position: usize, hook: &str) -> Option<Finding> {
    if !hook.is_empty() && !hook.contains('/') {
        return None;
    }
    let directory = placed.path.parent().unwrap_or(&placed.path);
    let executable = normalise(&directory.join(hook));
    let problem = problem_of(&executable)?;
    let mut finding = Policy::about_rule(
        placed,
        Code::UnusableHook,
        format!(
            "the hook {} {problem}, so whatever comes to this rule is denied with an error",
            executable.display()
        ),
        "correct the path, which is relative to the file with the rule, or make it an executable file",
    );
    finding.place = format!("{}/hooks/{position}", finding.place);
    Some(finding)
}

fn problem_of(executable: &Path) -> Option<&'static str> {
    match executable.metadata() {
        Err(_) => Some("cannot be found"),
        Ok(metadata) if !metadata.is_file() => Some("is not a file"),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Some("is not executable"),
        Ok(_) => None,
    }
}

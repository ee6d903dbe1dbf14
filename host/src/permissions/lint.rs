//! What is most likely wrong with a permissions file, found without a request.
//!
//! Looks at files and changes none. A finding that something can never match, or is let through, has been decided or tried,
//! never guessed; where that cannot be told there is no finding. What keeps a file from being read at all is a
//! [`CheckError`], as it is for the gateway.

mod directory;
mod finding;
mod hooks;
mod keywords;
mod modes;
mod names;
mod patterns;
mod policy;
mod reach;
mod shape;
#[cfg(test)]
mod tests;
mod values;
mod walk;

use std::path::Path;

pub use directory::{Presence, Survey, lint_directory};
pub use finding::{Code, Finding, Severity};
use policy::Policy;

use super::{BuiltinSchemas, CheckError};

/// What is wrong with the permissions file at `path` and its includes, in the order of places. Blocking.
///
/// # Errors
/// When the file or an include cannot be read, or is no permissions file.
pub fn lint(path: &Path, builtin: &BuiltinSchemas) -> Result<Vec<Finding>, CheckError> {
    let policy = Policy::load(path, builtin)?;
    Ok(look(&policy))
}

/// The same of a file that is in use, which nobody else should read.
///
/// # Errors
/// As for [`lint`].
pub fn lint_private(path: &Path, builtin: &BuiltinSchemas) -> Result<Vec<Finding>, CheckError> {
    let policy = Policy::load(path, builtin)?;
    let mut findings = look(&policy);
    modes::look(&policy, &mut findings);
    findings.sort_by_key(Finding::order);
    Ok(findings)
}

fn look(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    policy.with_registry(|policy, registry| {
        names::look(policy, registry, &mut findings);
        hooks::look(policy, &mut findings);
        values::look(policy, &mut findings);
        patterns::look(policy, &mut findings);
        reach::look(policy, registry, &mut findings);
    });
    findings.sort_by_key(Finding::order);
    findings
}

//! Names: those that lead nowhere, that nobody uses, and that are said twice. Files that are included count as names.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::policy::Policy;
use super::{Code, Finding};
use crate::permissions::config::Permissions;
use crate::permissions::include::PlacedRule;
use crate::permissions::schema::Registry;

pub(super) fn look(policy: &Policy, registry: &Registry<'_>, findings: &mut Vec<Finding>) {
    let known = Known::of(policy);
    for placed in policy.rules() {
        if registry.get(&placed.rule.scope).is_none() {
            let (message, advice) = known.unknown("scope", &placed.rule.scope);
            findings.push(Policy::about_rule(
                placed,
                Code::UnknownName,
                message,
                advice,
            ));
        }
        if let Permissions::AnyOf(permissions) = &placed.rule.permissions {
            look_at_permissions(policy, registry, &known, placed, permissions, findings);
        }
    }
    look_for_unused(policy, findings);
    look_for_missing(policy, findings);
}

fn look_at_permissions(
    policy: &Policy,
    registry: &Registry<'_>,
    known: &Known,
    placed: &PlacedRule,
    permissions: &[String],
    findings: &mut Vec<Finding>,
) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (position, name) in permissions.iter().enumerate() {
        if let Some(earlier) = seen.insert(name, position) {
            findings.push(policy.about_permission(
                placed,
                position,
                Code::DuplicatePermission,
                format!("the permission {name} is listed twice, at {earlier} and at {position}"),
                "remove one of them",
            ));
        } else if registry.get(name).is_none() {
            let (message, advice) = known.unknown("permission", name);
            let finding =
                policy.about_permission(placed, position, Code::UnknownName, message, advice);
            findings.push(finding);
        }
    }
}

fn look_for_unused(policy: &Policy, findings: &mut Vec<Finding>) {
    // A file without rules is there to be included.
    if policy.rules().is_empty() {
        return;
    }
    let used = policy.used();
    let used: HashSet<&str> = used.iter().map(|used| used.name).collect();
    for name in policy.own_schemas() {
        if !used.contains(name.as_str()) {
            findings.push(Finding {
                code: Code::UnusedSchema,
                file: policy.root.clone(),
                rule: None,
                place: policy.place_of(name, &policy.root),
                message: format!("no rule uses the schema {name}"),
                advice: "remove it, or name it in a rule".to_owned(),
            });
        }
    }
}

fn look_for_missing(policy: &Policy, findings: &mut Vec<Finding>) {
    let files = policy.files();
    for (file, _) in files.iter().filter(|(_, exists)| **exists) {
        for (position, include) in policy.includes(file).iter().enumerate() {
            if files.get(include.as_path()) == Some(&false) {
                findings.push(missing(file, position, include));
            }
        }
    }
}

fn missing(file: &Path, position: usize, include: &Path) -> Finding {
    Finding {
        code: Code::MissingInclude,
        file: file.to_owned(),
        rule: None,
        place: format!("#/include/{position}"),
        message: format!("{} does not exist and counts as empty", include.display()),
        advice: "correct the path, which is relative to the including file, or remove it"
            .to_owned(),
    }
}

/// The names that a rule could have meant.
struct Known {
    names: Vec<String>,
}

impl Known {
    fn of(policy: &Policy) -> Self {
        let defined = policy.defined_names().into_iter().map(str::to_owned);
        let mut names: Vec<_> = defined.collect();
        if let Some(listing) = policy.builtin().listing() {
            names.extend(listing.names().map(str::to_owned));
            names.push("any".to_owned());
        }
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// What to say of a name that nothing has.
    fn unknown(&self, role: &str, name: &str) -> (String, String) {
        let message = format!(
            "the {role} {name} is neither defined nor built in, so the whole file decides nothing"
        );
        let near = self.near(name);
        let advice = if near.is_empty() {
            "define it under \"schemas\", or correct the name".to_owned()
        } else {
            format!(
                "define it under \"schemas\", or correct the name: did you mean {}?",
                near.join(" or ")
            )
        };
        (message, advice)
    }

    /// Up to three names that differ by a slip of the pen, the nearest first.
    fn near(&self, name: &str) -> Vec<&str> {
        let limit = (name.chars().count() / 4).clamp(1, 4);
        let mut near: Vec<_> = self
            .names
            .iter()
            .map(|known| (distance(name, known), known.as_str()))
            .filter(|(distance, _)| *distance <= limit)
            .collect();
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, known)| known).collect()
    }
}

/// How many characters must be added, removed or replaced to come from one name to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, c) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (other, above) in other.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(c != *other);
            left = replaced.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_suggested_first() {
        let names = ["slack-api", "slack-apis", "discord-api", "any"].map(str::to_owned);
        let known = Known {
            names: names.to_vec(),
        };
        assert_eq!(known.near("slak-api"), ["slack-api", "slack-apis"]);
        assert_eq!(known.near("anny"), ["any"]);
        assert_eq!(known.near("jira"), [] as [&str; 0]);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}

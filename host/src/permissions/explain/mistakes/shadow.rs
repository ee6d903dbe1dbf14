//! An earlier rule decides, so that a later one is never asked.

use super::super::super::Request;
use super::super::super::decision::Permitted;
use super::super::dissection::Dissection;
use super::super::grants::EVERYTHING;
use super::super::own_routes;
use super::{Advice, Change, Grant, Mistake, named};

/// The first rule that would let the request through if it were asked.
pub(super) fn find(dissection: &Dissection, request: &Request, grants: &[Grant]) -> Option<Advice> {
    let decides = dissection.outlook(request)?.rule;
    if own_routes::is_guard(&decides.scope.name) {
        return None;
    }
    let rules = &dissection.rules.rules;
    let place = rules.iter().position(|rule| std::ptr::eq(rule, decides))?;
    let (later, other, permitted) =
        rules
            .iter()
            .enumerate()
            .skip(place + 1)
            .find_map(|(position, rule)| match dissection.alone(rule, request) {
                Permitted::No => None,
                permitted => Some((position, rule, permitted)),
            })?;
    let (first, second) = (Dissection::place(decides), Dissection::place(other));
    let denies_all = decides
        .permissions
        .as_ref()
        .is_some_and(|list| list.list.is_empty());
    let mut changes = Vec::new();
    let by = match &permitted {
        Permitted::By(permission) => {
            if !denies_all
                && dissection
                    .with_permission(place, permission)?
                    .allows(request)
            {
                changes.push(Change::AddPermission {
                    rule: first.clone(),
                    permission: permission.to_string(),
                });
            }
            format!("by {permission:?}")
        }
        Permitted::Unrestricted | Permitted::No => "when its hooks pass".to_owned(),
    };
    if decides.path == other.path && dissection.with_rule_moved(later, place)?.allows(request) {
        changes.push(Change::MoveRule {
            rule: second.clone(),
            before: first.clone(),
        });
    }
    let what = match changes.as_slice() {
        [Change::AddPermission { permission, .. }, ..] => {
            format!("add {permission:?} to {}", named(dissection, &first))
        }
        [Change::MoveRule { .. }, ..] => {
            format!("move rule {} before rule {}", second.index, first.index)
        }
        _ => format!("change {}", named(dissection, &first)),
    };
    let unless = if denies_all {
        format!(
            ", unless {} is meant to deny: it lists no permission",
            named(dissection, &first)
        )
    } else {
        String::new()
    };
    // Something smaller than everything is worth a word.
    let is_everything =
        matches!(&permitted, Permitted::By(permission) if **permission == *EVERYTHING);
    let smaller = Change::grant(grants).filter(|_| is_everything);
    let alternative = smaller.as_ref().map(Change::as_alternative);
    changes.extend(smaller);
    Some(Advice {
        mistake: Mistake::Shadowed,
        sentence: format!(
            "{} would allow it {by}, but is never asked, because {} comes first and decides: {what}{unless}{}",
            named(dissection, &second),
            named(dissection, &first),
            alternative.unwrap_or_default(),
        ),
        changes,
    })
}

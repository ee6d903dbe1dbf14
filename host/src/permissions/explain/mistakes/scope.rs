//! What is not in the file at all: a rule for the request's host, or a permission in it.

use super::super::super::Request;
use super::super::dissection::Dissection;
use super::super::grants::EVERYTHING;
use super::super::own_routes;
use super::super::request::{text, with};
use super::super::{RulePlace, grants};
use super::{Advice, Change, Grant, Mistake, named};

pub(super) fn find(dissection: &Dissection, request: &Request, grants: &[Grant]) -> Option<Advice> {
    if own_routes::is_own(request) {
        return None;
    }
    match dissection.outlook(request) {
        Some(outlook) => permission(
            dissection,
            request,
            grants,
            &Dissection::place(outlook.rule),
        ),
        None => Some(scope(dissection, request, grants)),
    }
}

fn scope(dissection: &Dissection, request: &Request, found: &[Grant]) -> Advice {
    let domain = text(request, "domain");
    let (what, changes) = if let Some(grant) = found.first() {
        let Grant {
            scope, permission, ..
        } = grant;
        let everything = if permission == EVERYTHING {
            ", which is everything there"
        } else {
            ""
        };
        let what = format!(
            "its scope in the catalog is {scope:?}: grant {permission:?} under it{everything}"
        );
        let change = Change::Grant {
            scope: scope.clone(),
            permission: permission.clone(),
        };
        (what, vec![change])
    } else if let Some(grant) = over_https(dissection, request) {
        let Grant {
            scope, permission, ..
        } = grant;
        let what = format!(
            "its scope in the catalog, {scope:?}, takes https only: send it over https and grant {permission:?} under that \
             scope"
        );
        (what, Vec::new())
    } else {
        let what = "the catalog has no scope for it: define one under \"schemas\", for instance {\"properties\": {\"domain\": \
                    {\"const\": "
            .to_owned()
            + &format!("{domain:?}}}}}, \"required\": [\"domain\"]}}, and write a rule for it");
        (what, Vec::new())
    };
    Advice {
        mistake: Mistake::MissingScope,
        sentence: format!("no rule's scope matches this request to {domain}; {what}"),
        changes,
    }
}

fn over_https(dissection: &Dissection, request: &Request) -> Option<Grant> {
    if text(request, "protocol") == "https" {
        return None;
    }
    let changes = [("protocol", "https".into()), ("port", 443.into())];
    let secure = with(request, &changes)?;
    grants::of(dissection, &secure).into_iter().next()
}

fn permission(
    dissection: &Dissection,
    request: &Request,
    grants: &[Grant],
    rule: &RulePlace,
) -> Option<Advice> {
    let lacks = format!(
        "none of the permissions of {} matches",
        named(dissection, rule)
    );
    let (what, change) = match grants.first() {
        Some(Grant {
            scope,
            permission,
            obstacle: None,
            ..
        }) => (
            format!("grant {permission:?} under {scope:?}"),
            Change::Grant {
                scope: scope.clone(),
                permission: permission.clone(),
            },
        ),
        Some(Grant { permission, .. }) => {
            let place = dissection.position(rule)?;
            if !dissection
                .with_permission(place, permission)?
                .allows(request)
            {
                return None;
            }
            (
                format!("add {permission:?}, which covers the request, to that rule"),
                Change::AddPermission {
                    rule: rule.clone(),
                    permission: permission.clone(),
                },
            )
        }
        None => {
            return Some(Advice {
                mistake: Mistake::MissingPermission,
                sentence: format!(
                    "{lacks}, nor does one of the catalog: define a schema that does under \"schemas\", and add its name to that \
                     rule"
                ),
                changes: Vec::new(),
            });
        }
    };
    Some(Advice {
        mistake: Mistake::MissingPermission,
        sentence: format!("{lacks}: {what}"),
        changes: vec![change],
    })
}

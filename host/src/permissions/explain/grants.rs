//! Which permissions of the catalog cover a request.

use std::collections::HashSet;

use serde::Serialize;

use super::super::Request;
use super::super::catalog::Permission;
use super::dissection::Dissection;
use super::request::text;
use super::{RulePlace, breadth};

/// The name that lets everything under a scope through.
pub(super) const EVERYTHING: &str = "any";

/// A permission that covers the request, under the scope that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    pub service: String,
    pub scope: String,
    /// The one that allows least; `any` where no permission of the scope covers the request.
    pub permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The others that cover it, those that allow less first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wider: Vec<String>,
    /// The rule that would decide all the same, because it comes before the scope's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<RulePlace>,
}

/// What an operator could grant, or an agent ask for, for this request; one entry a scope that covers it.
pub(super) fn of(dissection: &Dissection, request: &Request) -> Vec<Grant> {
    let Some(listing) = dissection.builtin.listing() else {
        return Vec::new();
    };
    let scopes = listing.scopes().map(|(_, scope)| scope.name.as_str());
    let matching = dissection.named(scopes);
    let mut seen = HashSet::new();
    listing
        .scopes()
        .filter(|(_, scope)| matching.matches(&scope.name, request) && seen.insert(&scope.name))
        .filter_map(|(service, scope)| {
            // Services may share a scope, and then have its permissions together.
            let shared = listing
                .scopes()
                .filter(|(_, other)| other.name == scope.name);
            let permissions: Vec<_> = shared.flat_map(|(_, scope)| &scope.permissions).collect();
            let (permission, wider) = covering(dissection, request, &permissions)?;
            let described = permissions.iter().find(|known| known.name == permission);
            Some(Grant {
                service: service.name.clone(),
                scope: scope.name.clone(),
                description: match described {
                    Some(permission) => permission.description.clone(),
                    None => Some(everything(request, permissions.is_empty())),
                },
                permission,
                wider,
                obstacle: obstacle(dissection, &scope.name, request),
            })
        })
        .collect()
}

/// The permission that covers the request and allows least, and the others that cover it; none where a file has made less
/// of everything.
fn covering(
    dissection: &Dissection,
    request: &Request,
    permissions: &[&Permission],
) -> Option<(String, Vec<String>)> {
    let names = permissions
        .iter()
        .map(|permission| permission.name.as_str());
    let all: Vec<_> = names.collect();
    let schemas = dissection.named(all.iter().copied().chain([EVERYTHING]));
    let covers = |name: &&str| schemas.matches(name, request);
    let mut candidates: Vec<_> = all.iter().copied().filter(covers).collect();
    breadth::sort(&mut candidates, &all, &schemas, dissection, request);
    let mut candidates = candidates.into_iter().map(str::to_owned);
    let everything = || covers(&EVERYTHING).then(|| EVERYTHING.to_owned());
    let smallest = candidates.next().or_else(everything)?;
    Some((smallest, candidates.collect()))
}

fn everything(request: &Request, is_undivided: bool) -> String {
    let why = if is_undivided {
        "it is not divided into permissions"
    } else if request.as_value().get("body").is_none() && text(request, "method") != "GET" {
        "none of its permissions covers a request like this without a body"
    } else {
        "none of its permissions covers this request"
    };
    format!("Everything under this scope: {why}.")
}

/// A grant joins the rule of the file itself that has the scope, or becomes its last rule.
fn obstacle(dissection: &Dissection, scope: &str, request: &Request) -> Option<RulePlace> {
    let decides = dissection.outlook(request)?.rule;
    let is_own =
        *decides.scope.name == *scope && dissection.is_root(&decides.path.display().to_string());
    (!is_own).then(|| Dissection::place(decides))
}

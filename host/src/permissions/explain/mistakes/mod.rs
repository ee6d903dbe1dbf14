//! What people get wrong, found by trying: the rules one by one, requests that are almost the same, and schemas and rules
//! that are almost the same. Each finding is one sentence that says what to change.

mod method;
mod scope;
mod shadow;
mod spelling;

use serde::Serialize;
use serde_json::Value;

use super::super::Request;
use super::super::schema::Mismatch;
use super::dissection::Dissection;
use super::{Grant, RulePlace, own_routes, request};

/// Each is tried, with all rules compiled anew.
const MOST_OBSTACLES: usize = 20;

/// What is wrong and what to change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    pub mistake: Mistake,
    /// For people: one sentence.
    pub sentence: String,
    /// For programs: each of these alone lets the request through, apart from hooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// The kinds of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// An earlier rule decides, and a later one would let the request through.
    Shadowed,
    /// The path is percent-encoded in another way than the rules spell it.
    PercentEncoding,
    /// The path has a slash at its end that the rules do not have, or the other way round.
    TrailingSlash,
    /// Other methods are allowed.
    Method,
    /// The same over https is allowed.
    Protocol,
    /// No rule's scope matches.
    MissingScope,
    /// A rule's scope matches, and none of its permissions does.
    MissingPermission,
    /// One of the gateway's own routes, which are not in the catalog.
    OwnRoute,
    /// A hook denied the request.
    Hook,
    /// The file that decides is the one for requests without an override token.
    NoOverride,
}

/// A change to the request, the file, or what is granted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Send the request with another value of a property.
    Request {
        property: &'static str,
        value: Value,
    },
    /// Put another value at a place of a schema.
    Schema {
        schema: String,
        place: String,
        value: Value,
    },
    AddPermission {
        rule: RulePlace,
        permission: String,
    },
    MoveRule {
        rule: RulePlace,
        before: RulePlace,
    },
    Grant {
        scope: String,
        permission: String,
    },
}

impl Advice {
    /// The file is as it should be, and a hook says no.
    pub(super) fn hook(dissection: &Dissection, hook: &str, rule: &RulePlace) -> Self {
        Self {
            mistake: Mistake::Hook,
            sentence: format!(
                "the hook {hook} of {} denies it: change the hook, or the request; what a hook prints goes to the standard \
                 error output",
                named(dissection, rule)
            ),
            changes: Vec::new(),
        }
    }

    /// Nobody grants anything to the default file.
    pub(super) fn no_override() -> Self {
        Self {
            mistake: Mistake::NoOverride,
            sentence: "this is the default file, which speaks for whoever sends no \
                       X-Latchkey-Gateway-Permissions-Override: send the agent's own token in that header, \
                       $LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"
                .to_owned(),
            changes: Vec::new(),
        }
    }
}

/// Everything that may be wrong, the most telling first.
pub(super) fn find(dissection: &Dissection, request: &Request, grants: &[Grant]) -> Vec<Advice> {
    let spelled = [
        shadow::find(dissection, request, grants),
        spelling::trailing_slash(dissection, request),
        spelling::percent_encoding(dissection, request),
        spelling::protocol(dissection, request),
    ];
    let mut found: Vec<_> = spelled.into_iter().flatten().collect();
    if found.is_empty() {
        found.extend(own_routes::advice(dissection, request));
    }
    found.extend(method::find(dissection, request, grants));
    // What is not in the file at all is the likely reason only where nothing in it comes close.
    if found.is_empty() {
        found.extend(scope::find(dissection, request, grants));
    }
    found
}

/// Tries `request` with another value of a property.
fn otherwise(request: &Request, property: &'static str, value: &str) -> Option<Request> {
    request::with(request, &[(property, value.into())])
}

/// A rule in a sentence; its file only where it is an included one.
pub(super) fn named(dissection: &Dissection, rule: &RulePlace) -> String {
    let RulePlace { index, scope, file } = rule;
    if dissection.is_root(file) {
        format!("rule {index} (scope {scope:?})")
    } else {
        format!("rule {index} (scope {scope:?}) of {file}")
    }
}

/// The end of a sentence that says that `request` is allowed, where hooks have a say in it.
fn provided(dissection: &Dissection, request: &Request) -> &'static str {
    let outlook = dissection.outlook(request);
    if outlook.is_some_and(|outlook| !outlook.rule.hooks.is_empty()) {
        " if the hooks let it through"
    } else {
        ""
    }
}

/// What alone keeps scopes and permissions from matching, at one property of the request, in schemas that are the file's to
/// change.
fn obstacles_at(dissection: &Dissection, request: &Request, property: &str) -> Vec<Mismatch> {
    let diagnostics = dissection.diagnostics();
    let at = format!("/{property}");
    let mut found: Vec<Mismatch> = Vec::new();
    for rule in &dissection.rules.rules {
        let permissions = rule.permissions.iter().flat_map(|list| &list.list);
        for schema in std::iter::once(&rule.scope).chain(permissions) {
            let value = request.as_value();
            let reasons = diagnostics.mismatches(schema.id, value, value);
            for reason in sole(reasons.unwrap_or_default()) {
                let is_known = found
                    .iter()
                    .any(|other| (&other.schema, &other.place) == (&reason.schema, &reason.place));
                let is_own =
                    dissection.defines(&reason.schema) && !own_routes::is_baseline(&reason.schema);
                if reason.at == at && !is_known && is_own {
                    found.push(reason);
                }
            }
        }
    }
    found.truncate(MOST_OBSTACLES);
    found
}

/// Each reason without which a schema would match: where there are several they must all go, of alternatives one must.
fn sole(mut reasons: Vec<Mismatch>) -> Vec<Mismatch> {
    match (reasons.pop(), reasons.is_empty()) {
        (Some(reason), true) if reason.alternatives.is_empty() => vec![reason],
        (Some(reason), true) => reason.alternatives.into_iter().flat_map(sole).collect(),
        _ => Vec::new(),
    }
}

/// The first change to a schema of the file that lets the request through, of those that `change` makes of an obstacle.
fn schema_change(
    dissection: &Dissection,
    request: &Request,
    property: &str,
    change: impl Fn(&Mismatch) -> Option<(String, Value)>,
) -> Option<Change> {
    obstacles_at(dissection, request, property)
        .iter()
        .filter_map(|obstacle| Some((obstacle, change(obstacle)?)))
        .find_map(|(obstacle, (place, value))| {
            let pointer = place.strip_prefix('#')?;
            let changed = dissection.with_schema(&obstacle.schema, pointer, value.clone())?;
            changed.allows(request).then(|| Change::Schema {
                schema: obstacle.schema.clone(),
                place: place.clone(),
                value,
            })
        })
}

impl Change {
    /// The end of a sentence, where there is another way to do it.
    fn as_alternative(&self) -> String {
        match self {
            Self::Schema {
                schema,
                place,
                value,
            } => format!("; or let {schema:?} take it: put {value} at {place}"),
            Self::Grant { scope, permission } => {
                format!("; or grant {permission:?} under {scope:?}, which covers it")
            }
            Self::AddPermission { .. } | Self::MoveRule { .. } | Self::Request { .. } => {
                String::new()
            }
        }
    }

    /// The smallest permission of the catalog that lets the request through, if one does.
    fn grant(grants: &[Grant]) -> Option<Self> {
        let grant = grants.iter().find(|grant| grant.obstacle.is_none())?;
        Some(Self::Grant {
            scope: grant.scope.clone(),
            permission: grant.permission.clone(),
        })
    }
}

//! Rules that are ready to decide.
//!
//! Rules are tried in order and the first whose scope matches decides; without one the request is denied.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::builtin::BuiltinSchemas;
use super::config::Permissions;
use super::error::CheckError;
use super::hooks::{self, Answer};
use super::include::{Merged, PlacedRule};
use super::request::Request;
use super::schema::{Compiler, Fault, NodeId, Registry, Schemas};

/// What a permission check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The rule that decides lets the request through.
    Allowed,
    /// The rule that decides does not let the request through, or no rule applies.
    Denied,
}

/// A decision and what it rests on. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// The rule that decided; none when no rule's scope matched, which denies.
    pub rule: Option<DecidingRule>,
    /// The permission of that rule that let the request through, if its permissions were what decided.
    pub matched: Option<Arc<str>>,
    /// The hook of that rule that denied the request, as the file names it.
    pub denied_by: Option<Arc<str>>,
}

/// The rule that decided, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidingRule {
    /// Counted from 0 within its file.
    pub index: usize,
    pub scope: Arc<str>,
    /// The file that has the rule: the permissions file itself or one that it includes.
    pub file: Arc<Path>,
}

impl Verdict {
    fn new(decision: Decision, rule: &Resolved) -> Self {
        Self {
            decision,
            rule: Some(DecidingRule {
                index: rule.index,
                scope: Arc::clone(&rule.scope.name),
                file: Arc::clone(&rule.path),
            }),
            matched: None,
            denied_by: None,
        }
    }
}

/// The resolved rules of a permissions file and its includes.
#[derive(Debug)]
pub(super) struct Ruleset {
    /// The file as named, for messages.
    root: Arc<Path>,
    schemas: Schemas,
    rules: Vec<Resolved>,
    order: Order,
}

/// Which rules can apply to a domain: places in the list of rules, ascending.
#[derive(Debug, Default)]
struct Order {
    /// The rules whose scope names its domains.
    by_domain: HashMap<String, Vec<usize>>,
    /// All others.
    anywhere: Vec<usize>,
}

impl Order {
    fn of(rules: &[Resolved], schemas: &Schemas) -> Self {
        let mut order = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let Some(mut domains) = schemas.domains(rule.scope.id) else {
                order.anywhere.push(place);
                continue;
            };
            domains.sort_unstable();
            domains.dedup();
            for domain in domains {
                order
                    .by_domain
                    .entry(domain.to_owned())
                    .or_default()
                    .push(place);
            }
        }
        order
    }

    /// The places to try, in the order of the rules.
    fn candidates(&self, domain: &str) -> impl Iterator<Item = usize> {
        let named = self.by_domain.get(domain).map_or(&[][..], Vec::as_slice);
        let mut named = named.iter().copied().peekable();
        let mut anywhere = self.anywhere.iter().copied().peekable();
        std::iter::from_fn(move || match (named.peek(), anywhere.peek()) {
            (Some(one), Some(other)) if one < other => named.next(),
            (Some(_), None) => named.next(),
            _ => anywhere.next(),
        })
    }
}

#[derive(Debug)]
struct Resolved {
    scope: Named,
    hooks: Vec<String>,
    /// `None` lets everything through that the hooks do.
    permissions: Option<Vec<Named>>,
    path: Arc<Path>,
    index: usize,
}

/// A schema under the name that a rule gives it.
#[derive(Debug)]
struct Named {
    name: Arc<str>,
    id: NodeId,
}

impl Ruleset {
    /// Resolves every rule; what no rule uses is not looked at.
    pub(super) fn compile(
        root: &Path,
        merged: Merged,
        builtin: BuiltinSchemas,
    ) -> Result<Self, CheckError> {
        let registry = Registry {
            defined: &merged.schemas,
            builtin,
        };
        let mut compiler = Compiler::new(&registry);
        let rules = merged
            .rules
            .into_iter()
            .map(|rule| resolve(rule, &mut compiler))
            .collect::<Result<Vec<_>, _>>()?;
        let schemas = compiler.finish();
        Ok(Self {
            root: root.into(),
            order: Order::of(&rules, &schemas),
            schemas,
            rules,
        })
    }

    /// The first thing that could keep a request from being decided.
    pub(super) fn check(&self) -> Result<(), CheckError> {
        match self.schemas.first_fault() {
            Some(fault) => Err(self.unusable(fault.clone())),
            None => Ok(()),
        }
    }

    pub(super) async fn judge(&self, request: &Request) -> Result<Verdict, CheckError> {
        let Some(rule) = self.rule_for(request)? else {
            return Ok(Verdict {
                decision: Decision::Denied,
                rule: None,
                matched: None,
                denied_by: None,
            });
        };
        if !rule.hooks.is_empty() {
            let directory = rule.path.parent().unwrap_or(&rule.path);
            let answer = hooks::run(&rule.hooks, directory, request).await;
            let answer = answer.map_err(|failure| CheckError::Hook {
                path: rule.path.to_path_buf(),
                index: rule.index,
                hook: failure.hook,
                problem: failure.problem,
            })?;
            if let Answer::Denied(hook) = answer {
                return Ok(Verdict {
                    denied_by: Some(hook.into()),
                    ..Verdict::new(Decision::Denied, rule)
                });
            }
        }
        let Some(permissions) = &rule.permissions else {
            return Ok(Verdict::new(Decision::Allowed, rule));
        };
        for permission in permissions {
            if self.matches(permission.id, request)? {
                return Ok(Verdict {
                    matched: Some(Arc::clone(&permission.name)),
                    ..Verdict::new(Decision::Allowed, rule)
                });
            }
        }
        Ok(Verdict::new(Decision::Denied, rule))
    }

    fn rule_for(&self, request: &Request) -> Result<Option<&Resolved>, CheckError> {
        let candidates = self.order.candidates(request.domain());
        for rule in candidates.filter_map(|place| self.rules.get(place)) {
            if self.matches(rule.scope.id, request)? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    fn matches(&self, schema: NodeId, request: &Request) -> Result<bool, CheckError> {
        self.schemas
            .matches(schema, request.as_value())
            .map_err(|fault| self.unusable(fault))
    }

    fn unusable(&self, fault: Fault) -> CheckError {
        CheckError::UnusableSchema {
            path: self.root.to_path_buf(),
            fault,
        }
    }
}

fn resolve(placed: PlacedRule, compiler: &mut Compiler<'_>) -> Result<Resolved, CheckError> {
    let PlacedRule { rule, path, index } = placed;
    let mut named = |name: &str| match compiler.named(name) {
        Ok(Some(id)) => Ok(Named {
            name: name.into(),
            id,
        }),
        Ok(None) => Err(CheckError::UnknownSchema {
            path: path.to_path_buf(),
            index,
            name: name.to_owned(),
        }),
        Err(fault) => Err(CheckError::UnusableSchema {
            path: path.to_path_buf(),
            fault,
        }),
    };
    let scope = named(&rule.scope)?;
    let permissions = match &rule.permissions {
        Permissions::Unrestricted => None,
        Permissions::AnyOf(names) => Some(
            names
                .iter()
                .map(|name| named(name))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Resolved {
        scope,
        hooks: rule.hooks,
        permissions,
        path,
        index,
    })
}

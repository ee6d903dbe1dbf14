//! Rules that are ready to decide.
//!
//! Rules are tried in order and the first whose scope matches decides; without one the request is denied.

use std::path::Path;
use std::sync::Arc;

use super::builtin::BuiltinSchemas;
use super::config;
use super::error::CheckError;
use super::hooks::{self, Answer};
use super::include::{Merged, PlacedRule};
use super::request::Request;
use super::rule_index::RuleIndex;
use super::schema::{Compiler, Fault, NodeId, Origins, Registry, Schemas};

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
    /// No rule's scope matches.
    pub(super) fn without_rule() -> Self {
        Self {
            decision: Decision::Denied,
            rule: None,
            matched: None,
            denied_by: None,
        }
    }

    /// A rule decides, and its hooks have passed.
    pub(super) fn of(permitted: Permitted, rule: &Resolved) -> Self {
        match permitted {
            Permitted::No => Self::new(Decision::Denied, rule),
            Permitted::Unrestricted => Self::new(Decision::Allowed, rule),
            Permitted::By(name) => Self {
                matched: Some(name),
                ..Self::new(Decision::Allowed, rule)
            },
        }
    }

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
    pub(super) schemas: Schemas,
    pub(super) rules: Vec<Resolved>,
    /// Of their scopes.
    index: RuleIndex,
}

#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) scope: Named,
    pub(super) hooks: Vec<String>,
    /// `None` lets everything through that the hooks do.
    pub(super) permissions: Option<Permissions>,
    pub(super) path: Arc<Path>,
    /// Within its file.
    pub(super) index: usize,
}

/// The permissions of a rule, in their order.
#[derive(Debug)]
pub(super) struct Permissions {
    pub(super) list: Vec<Named>,
    /// Of a long list; a short one is tried as fast as it is looked up.
    index: Option<RuleIndex>,
}

impl Permissions {
    const SHORT: usize = 8;

    fn index(&mut self, schemas: &Schemas) {
        if self.list.len() > Self::SHORT {
            let list = self.list.iter().map(|permission| permission.id);
            self.index = Some(RuleIndex::of(list, schemas));
        }
    }

    /// Those that could let `request` through.
    fn candidates(&self, request: &Request) -> impl Iterator<Item = &Named> {
        let indexed = self.index.iter();
        let indexed = indexed.flat_map(|index| index.candidates(request));
        let all = if self.index.is_some() {
            0
        } else {
            self.list.len()
        };
        indexed
            .chain(0..all)
            .filter_map(|place| self.list.get(place))
    }
}

/// A schema under the name that a rule gives it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) id: NodeId,
}

impl Ruleset {
    /// Resolves every rule; what no rule uses is not looked at.
    pub(super) fn compile(
        root: &Path,
        merged: Merged,
        builtin: BuiltinSchemas,
    ) -> Result<Self, CheckError> {
        let Merged { schemas, rules } = merged;
        let registry = Registry {
            defined: &schemas,
            builtin,
        };
        let mut compiler = Compiler::new(&registry);
        let rules = resolve_all(rules, &mut compiler)?;
        Ok(Self::assemble(root, rules, compiler.finish()))
    }

    /// The same, and where in the named schemas its nodes come from.
    pub(super) fn compile_with_origins(
        root: &Path,
        merged: Merged,
        builtin: BuiltinSchemas,
    ) -> Result<(Self, Origins), CheckError> {
        let Merged { schemas, rules } = merged;
        let registry = Registry {
            defined: &schemas,
            builtin,
        };
        let mut compiler = Compiler::new(&registry);
        let rules = resolve_all(rules, &mut compiler)?;
        let (schemas, origins) = compiler.finish_with_origins();
        Ok((Self::assemble(root, rules, schemas), origins))
    }

    fn assemble(root: &Path, mut rules: Vec<Resolved>, schemas: Schemas) -> Self {
        for rule in &mut rules {
            rule.permissions
                .iter_mut()
                .for_each(|list| list.index(&schemas));
        }
        let scopes = rules.iter().map(|rule| rule.scope.id);
        Self {
            root: root.into(),
            index: RuleIndex::of(scopes, &schemas),
            schemas,
            rules,
        }
    }

    /// The first thing that could keep a request from being decided.
    pub(super) fn check(&self) -> Result<(), CheckError> {
        match self.schemas.first_fault() {
            Some(fault) => Err(self.unusable(fault.clone())),
            None => Ok(()),
        }
    }

    /// Fails where the rule that decides would run a hook.
    pub(super) fn refuse_hooks(&self, request: &Request) -> Result<(), CheckError> {
        let Some(rule) = self.rule_for(request)? else {
            return Ok(());
        };
        match rule.hooks.first() {
            None => Ok(()),
            Some(hook) => Err(CheckError::Hook {
                path: rule.path.to_path_buf(),
                index: rule.index,
                hook: hook.clone(),
                problem: "was not run: hooks are switched off".to_owned(),
            }),
        }
    }

    pub(super) async fn judge(&self, request: &Request) -> Result<Verdict, CheckError> {
        let Some(rule) = self.rule_for(request)? else {
            return Ok(Verdict::without_rule());
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
        Ok(Verdict::of(self.permitted(rule, request)?, rule))
    }

    /// What the permissions of a rule say, after its hooks.
    pub(super) fn permitted(
        &self,
        rule: &Resolved,
        request: &Request,
    ) -> Result<Permitted, CheckError> {
        let Some(permissions) = &rule.permissions else {
            return Ok(Permitted::Unrestricted);
        };
        for permission in permissions.candidates(request) {
            if self.matches(permission.id, request)? {
                return Ok(Permitted::By(Arc::clone(&permission.name)));
            }
        }
        Ok(Permitted::No)
    }

    /// The rule that decides.
    pub(super) fn rule_for(&self, request: &Request) -> Result<Option<&Resolved>, CheckError> {
        let candidates = self.index.candidates(request);
        for rule in candidates.filter_map(|place| self.rules.get(place)) {
            if self.matches(rule.scope.id, request)? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    pub(super) fn matches(&self, schema: NodeId, request: &Request) -> Result<bool, CheckError> {
        self.schemas
            .matches(schema, request.as_value())
            .map_err(|fault| self.unusable(fault))
    }

    pub(super) fn unusable(&self, fault: Fault) -> CheckError {
        CheckError::UnusableSchema {
            path: self.root.to_path_buf(),
            fault,
        }
    }
}

/// What the permissions of a rule say to a request.
#[derive(Debug)]
pub(super) enum Permitted {
    No,
    /// The rule lets through whatever its hooks do.
    Unrestricted,
    /// Carries the first permission that matches.
    By(Arc<str>),
}

fn resolve_all(
    rules: Vec<PlacedRule>,
    compiler: &mut Compiler<'_>,
) -> Result<Vec<Resolved>, CheckError> {
    rules
        .into_iter()
        .map(|rule| resolve(rule, compiler))
        .collect()
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
        config::Permissions::Unrestricted => None,
        config::Permissions::AnyOf(names) => Some(Permissions {
            list: names
                .iter()
                .map(|name| named(name))
                .collect::<Result<_, _>>()?,
            index: None,
        }),
    };
    Ok(Resolved {
        scope,
        hooks: rule.hooks,
        permissions,
        path,
        index,
    })
}

//! A permissions file taken apart for an explanation: its rules, where everything in them comes from, and the means to try
//! what would be if something were otherwise.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::super::builtin::BuiltinSchemas;
use super::super::config::Permissions;
use super::super::decision::{Permitted, Resolved, Ruleset, Verdict};
use super::super::include::{Merged, normalise};
use super::super::schema::{Compiler, Diagnostics, NodeId, Origins, Registry, Schemas};
use super::super::{CheckError, Request};
use super::RulePlace;
use crate::store::paths::DEFAULT_FILE;

/// The rules of a file and its includes, with their origins.
pub(super) struct Dissection {
    root: PathBuf,
    pub(super) rules: Ruleset,
    pub(super) origins: Origins,
    pub(super) builtin: BuiltinSchemas,
    merged: Merged,
}

/// What the rules say to a request when all hooks pass.
pub(super) struct Outlook<'d> {
    pub(super) rule: &'d Resolved,
    pub(super) permitted: Permitted,
}

impl Outlook<'_> {
    pub(super) fn is_allowed(&self) -> bool {
        !matches!(self.permitted, Permitted::No)
    }
}

impl Dissection {
    pub(super) fn new(
        root: &Path,
        merged: Merged,
        builtin: BuiltinSchemas,
    ) -> Result<Self, CheckError> {
        let (rules, origins) =
            Ruleset::compile_with_origins(root, merged.clone(), builtin.clone())?;
        Ok(Self {
            root: root.to_owned(),
            rules,
            origins,
            builtin,
            merged,
        })
    }

    pub(super) fn diagnostics(&self) -> Diagnostics<'_> {
        Diagnostics {
            schemas: &self.rules.schemas,
            origins: &self.origins,
        }
    }

    /// What the rules say when all hooks pass; none where no rule decides, or where the file cannot say.
    pub(super) fn outlook(&self, request: &Request) -> Option<Outlook<'_>> {
        let rule = self.rules.rule_for(request).ok()??;
        let permitted = self.rules.permitted(rule, request).ok()?;
        Some(Outlook { rule, permitted })
    }

    pub(super) fn allows(&self, request: &Request) -> bool {
        self.outlook(request)
            .is_some_and(|outlook| outlook.is_allowed())
    }

    /// What one rule says for itself, as if it stood alone.
    pub(super) fn alone(&self, rule: &Resolved, request: &Request) -> Permitted {
        match self.rules.matches(rule.scope.id, request) {
            Ok(true) => self.rules.permitted(rule, request).unwrap_or(Permitted::No),
            Ok(false) | Err(_) => Permitted::No,
        }
    }

    /// The verdict where hooks that pass would not change it.
    pub(super) fn judge_without_hooks(
        &self,
        request: &Request,
    ) -> Result<Option<Verdict>, CheckError> {
        let Some(rule) = self.rules.rule_for(request)? else {
            return Ok(Some(Verdict::without_rule()));
        };
        let permitted = self.rules.permitted(rule, request)?;
        let is_open = !rule.hooks.is_empty() && !matches!(permitted, Permitted::No);
        Ok((!is_open).then(|| Verdict::of(permitted, rule)))
    }

    pub(super) fn place(rule: &Resolved) -> RulePlace {
        RulePlace {
            index: rule.index,
            scope: rule.scope.name.to_string(),
            file: rule.path.display().to_string(),
        }
    }

    /// Whether this is the permissions file itself, and not one that it includes.
    pub(super) fn is_root(&self, file: &str) -> bool {
        normalise(&self.root).display().to_string() == file
    }

    /// Whether this is the file for requests that name none.
    pub(super) fn is_default(&self) -> bool {
        self.root
            .file_name()
            .is_some_and(|name| name == DEFAULT_FILE)
    }

    /// Whether a file defines `name`, rather than the catalog.
    pub(super) fn defines(&self, name: &str) -> bool {
        self.merged.schemas.contains_key(name)
    }

    /// The schemas of these names as the file sees them, its own definitions first; those that do not compile are left out.
    pub(super) fn named<'n>(&self, names: impl Iterator<Item = &'n str>) -> NamedSchemas<'n> {
        let registry = Registry {
            defined: &self.merged.schemas,
            builtin: self.builtin.clone(),
        };
        let mut compiler = Compiler::new(&registry);
        let ids = names
            .filter_map(|name| Some((name, compiler.named(name).ok()??)))
            .collect();
        NamedSchemas {
            schemas: compiler.finish(),
            ids,
        }
    }

    /// The source of a schema, as the file sees it.
    pub(super) fn source(&self, name: &str) -> Option<&Value> {
        let defined = self.merged.schemas.get(name).map(Arc::as_ref);
        defined.or_else(|| self.builtin.get(name))
    }

    /// Where in the order of the rules this one stands.
    pub(super) fn position(&self, place: &RulePlace) -> Option<usize> {
        let mut rules = self.rules.rules.iter();
        rules.position(|rule| Self::place(rule) == *place)
    }

    /// The same rules with one more permission in the list of one of them.
    pub(super) fn with_permission(&self, position: usize, permission: &str) -> Option<Self> {
        let mut merged = self.merged.clone();
        match &mut merged.rules.get_mut(position)?.rule.permissions {
            Permissions::AnyOf(names) => names.push(permission.to_owned()),
            Permissions::Unrestricted => return None,
        }
        Self::new(&self.root, merged, self.builtin.clone()).ok()
    }

    /// The same rules with one of them at another position.
    pub(super) fn with_rule_moved(&self, from: usize, to: usize) -> Option<Self> {
        let mut merged = self.merged.clone();
        if from >= merged.rules.len() || to >= merged.rules.len() {
            return None;
        }
        let rule = merged.rules.remove(from);
        merged.rules.insert(to, rule);
        Self::new(&self.root, merged, self.builtin.clone()).ok()
    }

    /// The same rules with another value at a place of a schema that a file defines.
    pub(super) fn with_schema(&self, name: &str, pointer: &str, value: Value) -> Option<Self> {
        let mut schema = Value::clone(self.merged.schemas.get(name)?);
        *schema.pointer_mut(pointer)? = value;
        let mut schemas: HashMap<_, _> = (*self.merged.schemas).clone();
        schemas.insert(name.to_owned(), Arc::new(schema));
        let merged = Merged {
            schemas: Arc::new(schemas),
            rules: self.merged.rules.clone(),
        };
        Self::new(&self.root, merged, self.builtin.clone()).ok()
    }
}

/// Schemas by name, apart from any rule.
pub(super) struct NamedSchemas<'n> {
    schemas: Schemas,
    ids: HashMap<&'n str, NodeId>,
}

impl NamedSchemas<'_> {
    pub(super) fn matches(&self, name: &str, request: &Request) -> bool {
        self.ids
            .get(name)
            .is_some_and(|id| self.schemas.matches(*id, request.as_value()) == Ok(true))
    }
}

//! The permission engine: decides requests by files in detent's format.
//!
//! An [`Engine`] reads a permissions file with its includes, compiles the schemas that its rules use, and keeps the result
//! for as long as the files stay as they are. It promises that a decision takes bounded time apart from hooks, that a
//! change of a file shows in the next decision, and that whatever cannot be read, resolved, evaluated or run is a
//! [`CheckError`] and never an allowed request. It writes nothing but the file that it hands to hooks.

mod builtin;
mod cache;
pub mod cases;
pub mod catalog;
mod config;
mod decision;
mod edit;
mod error;
pub mod explain;
mod hooks;
mod include;
pub mod lint;
mod parsed_body;
mod pattern;
mod request;
mod rule_index;
mod schema;
mod secrets;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use cache::Cache;
use decision::Ruleset;

use crate::store::stamp::Stamp;

pub use builtin::BuiltinSchemas;
pub use decision::{DecidingRule, Decision, Verdict};
pub use edit::{EditError, check_edit};
pub use error::CheckError;
pub use request::{GATEWAY_ORIGIN, Request};
pub use schema::{Fault, Mismatch};
pub use secrets::{may_be_secret, may_hold_secret};

/// Decides requests. Clones share what has been compiled.
#[derive(Clone)]
pub struct Engine {
    builtin: BuiltinSchemas,
    cache: Arc<Cache>,
    runs_hooks: bool,
}

impl Engine {
    /// An engine that has read nothing yet. Files may use the schemas in `builtin` without defining them.
    pub fn new(builtin: BuiltinSchemas) -> Self {
        Self {
            builtin: builtin.clone(),
            cache: Arc::new(Cache::new(builtin)),
            runs_hooks: true,
        }
    }

    /// The same engine, but a rule with hooks has no answer: whatever comes to it is a [`CheckError::Hook`].
    #[must_use]
    pub fn without_hooks(self) -> Self {
        Self {
            runs_hooks: false,
            ..self
        }
    }

    /// Decides `request` by the file at `config`; a file that is missing allows nothing. Must run within a tokio runtime.
    pub async fn decide(&self, config: &Path, request: &Request) -> Result<Decision, CheckError> {
        let verdict = self.judge(config, request).await?;
        Ok(verdict.decision)
    }

    /// The same with what the decision rests on.
    pub async fn judge(&self, config: &Path, request: &Request) -> Result<Verdict, CheckError> {
        let stamp = Stamp::of(config).unwrap_or_else(|_| Stamp::never());
        self.judge_at(config, &stamp, request).await
    }

    /// The same for a caller that has just taken the file's stamp.
    pub async fn judge_at(
        &self,
        config: &Path,
        stamp: &Stamp,
        request: &Request,
    ) -> Result<Verdict, CheckError> {
        let rules = match self.cache.fresh(config, stamp) {
            Some(rules) => rules?,
            None => {
                let (cache, path) = (Arc::clone(&self.cache), config.to_owned());
                let loaded = tokio::task::spawn_blocking(move || cache.load(&path)).await;
                loaded.map_err(|error| CheckError::Interrupted(error.to_string()))??
            }
        };
        if !self.runs_hooks {
            rules.refuse_hooks(request)?;
        }
        rules.judge(request).await
    }

    /// Whether a file with `content` at `config` could decide any request that comes. It is stricter than [`Self::decide`],
    /// which stumbles over a broken keyword only where a request leads there. Blocking.
    pub fn check(&self, config: &Path, content: &[u8]) -> Result<(), CheckError> {
        let merged = include::load(config, Some(content)).merged?;
        Ruleset::compile(config, merged, self.builtin.clone())?.check()
    }
}

/// What the first rule of a scope lists, which decides all that the scope matches unless another scope is before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstRule {
    /// The file itself, or one that it includes.
    pub file: Arc<Path>,
    /// None where hooks alone decide.
    pub permissions: Option<Vec<String>>,
}

impl Engine {
    /// The first rule of `scope` in a file with `content` at `config`, or in a file that it includes. Blocking.
    pub fn first_rule(
        &self,
        config: &Path,
        content: &[u8],
        scope: &str,
    ) -> Result<Option<FirstRule>, CheckError> {
        let rules = include::load(config, Some(content)).merged?.rules;
        let first = rules.into_iter().find(|placed| placed.rule.scope == scope);
        Ok(first.map(|placed| FirstRule {
            file: placed.path,
            permissions: match placed.rule.permissions {
                config::Permissions::AnyOf(names) => Some(names),
                config::Permissions::Unrestricted => None,
            },
        }))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("builtin", &self.builtin)
            .finish_non_exhaustive()
    }
}

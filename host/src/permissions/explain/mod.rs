//! Why a permissions file decides a request as it does, and what would change that.
//!
//! An [`Explanation`] goes through the rules in their order as a decision does, with the reasons for which each scope and
//! permission does not match, and ends in what would let a denied request through: mistakes that people make, each with one
//! sentence that says what to change, and the smallest permissions of the catalog that cover the request. A piece of advice
//! is given only where trying it out, on the same engine, lets the request through.
//!
//! The verdict is the engine's own. Hooks run as in a decision, once and for the request itself only, or not at all where
//! the caller says so. Of the request, headers and query parameters whose names say that they are secret are hidden;
//! everything else is shown as it came. No explanation writes anything.

mod breadth;
mod dissection;
mod grants;
mod mistakes;
mod own_routes;
mod request;
mod steps;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::decision::{DecidingRule, Decision, Verdict};
use super::{CheckError, Engine, Request, include};
use dissection::Dissection;

pub use grants::Grant;
pub use mistakes::{Advice, Mistake};
pub use own_routes::FileAccess;
pub use steps::{HookOutcome, HookStep, PermissionStep, RuleOutcome, RuleStep};

/// Whether an explanation may run the hooks of the rule that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hooks {
    Run,
    Skip,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Allow,
    Deny,
    /// The file cannot decide it, or skipped hooks would have had a say.
    Error,
}

/// The way to a decision. It shows parts of the request, so it is not for `Debug`.
#[derive(Serialize)]
pub struct Explanation {
    pub verdict: Answer,
    /// The rule that decided.
    pub rule: Option<RulePlace>,
    /// The permission that let the request through.
    pub matched: Option<String>,
    /// The hook that denied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
    /// Why there is no decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The permissions file.
    pub file: String,
    /// The request as schemas see it, without its secrets.
    pub request: Value,
    /// Every rule, those of included files too, in the order in which they are tried.
    pub rules: Vec<RuleStep>,
    /// For a denied request: what somebody may have got wrong.
    pub advice: Vec<Advice>,
    /// For a denied request: the permissions of the catalog that cover it, one entry a scope.
    pub grants: Vec<Grant>,
    /// For a denied request for a file behind the gateway: the access that an agent can ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_access: Option<FileAccess>,
}

/// Which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RulePlace {
    /// Counted from 0 within its file.
    pub index: usize,
    pub scope: String,
    pub file: String,
}

impl From<&DecidingRule> for RulePlace {
    fn from(rule: &DecidingRule) -> Self {
        Self {
            index: rule.index,
            scope: rule.scope.to_string(),
            file: rule.file.display().to_string(),
        }
    }
}

impl Engine {
    /// Why the file at `config` decides `request` as it does. A file that is missing has no rules. Must run within a tokio
    /// runtime.
    pub async fn explain(&self, config: &Path, request: &Request, hooks: Hooks) -> Explanation {
        let mut explanation = Explanation {
            verdict: Answer::Error,
            rule: None,
            matched: None,
            denied_by: None,
            error: None,
            file: config.display().to_string(),
            request: request::shown(request),
            rules: Vec::new(),
            advice: Vec::new(),
            grants: Vec::new(),
            file_access: None,
        };
        let (path, builtin) = (config.to_owned(), self.builtin.clone());
        let loaded = tokio::task::spawn_blocking(move || {
            let merged = include::load(&path, None).merged?;
            Dissection::new(&path, merged, builtin)
        });
        let dissection = match loaded.await {
            Ok(Ok(dissection)) => Arc::new(dissection),
            Ok(Err(error)) => return explanation.failed(&error),
            Err(error) => return explanation.failed(&CheckError::Interrupted(error.to_string())),
        };
        let verdict = match hooks {
            Hooks::Run => self.judge(config, request).await.map(Some),
            Hooks::Skip => dissection.judge_without_hooks(request),
        };
        explanation.rules = steps::of(&dissection, request, &explanation.request, &verdict, hooks);
        match verdict {
            Err(error) => return explanation.failed(&error),
            Ok(None) => {
                explanation.error = Some(
                    "the hooks of the rule that decides have the last word, and they were not run"
                        .to_owned(),
                );
                return explanation;
            }
            Ok(Some(verdict)) => explanation.take(&verdict),
        }
        if explanation.verdict == Answer::Deny {
            explanation.advise(&dissection, request);
        }
        explanation
    }
}

impl Explanation {
    fn failed(mut self, error: &CheckError) -> Self {
        self.error = Some(error.to_string());
        self
    }

    fn take(&mut self, verdict: &Verdict) {
        self.verdict = match verdict.decision {
            Decision::Allowed => Answer::Allow,
            Decision::Denied => Answer::Deny,
        };
        self.rule = verdict.rule.as_ref().map(RulePlace::from);
        self.matched = verdict.matched.as_deref().map(str::to_owned);
        self.denied_by = verdict.denied_by.as_deref().map(str::to_owned);
    }

    /// What would let the denied request through.
    fn advise(&mut self, dissection: &Dissection, request: &Request) {
        if let (Some(hook), Some(rule)) = (&self.denied_by, &self.rule) {
            self.advice.push(Advice::hook(dissection, hook, rule));
            if dissection.allows(request) {
                return;
            }
        }
        if dissection.is_default() {
            self.advice.push(Advice::no_override());
            return;
        }
        self.grants = grants::of(dissection, request);
        self.file_access = own_routes::file_access(request);
        let mistakes = mistakes::find(dissection, request, &self.grants);
        self.advice.extend(mistakes);
    }
}

//! What `grant` and `revoke` have in common: how they begin, and how they say what has changed.

use std::path::{Path, PathBuf};

use permission_grants::{Access, SharedPath};
use serde_json::{Value, json};

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::observed::printable;
use super::super::options::Options;
use super::super::output;
use super::engine::builtin_schemas;
use super::grants::shown;
use super::observe::user;
use crate::grants::{Editor, GrantError, Outcome, Run};
use crate::permissions::{BuiltinSchemas, Engine};
use crate::store::grants::{Action, Change};

/// One edit of one permissions file.
pub(super) struct Edit<'a> {
    path: PathBuf,
    run: Run,
    schemas: BuiltinSchemas,
    user: String,
    options: &'a Options,
}

impl<'a> Edit<'a> {
    pub(super) fn prepare(
        path: PathBuf,
        dry_run: bool,
        options: &'a Options,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        Ok(Self {
            path,
            run: if dry_run { Run::Dry } else { Run::Made },
            schemas: builtin_schemas(options, environment)?,
            user: user(environment),
            options,
        })
    }

    /// Makes it and says what has changed.
    pub(super) fn show(
        self,
        make: impl FnOnce(&Editor<'_>, &Path, Run) -> Result<Outcome, GrantError>,
    ) -> Result<(), Failure> {
        let engine = Engine::new(self.schemas.clone());
        let editor = Editor {
            engine: &engine,
            schemas: &self.schemas,
            user: self.user.clone(),
        };
        let outcome = make(&editor, &self.path, self.run).map_err(Failure::failed)?;
        if self.options.is_json() {
            output::json_line(&self.as_json(&outcome))
        } else {
            output::text(&self.as_text(&outcome))
        }
    }

    fn as_json(&self, outcome: &Outcome) -> Value {
        let remarks: Vec<_> = outcome.remarks.iter().map(ToString::to_string).collect();
        json!({
            "file": self.path.to_string_lossy(),
            "dry_run": self.run == Run::Dry,
            "created": outcome.created,
            "changed": !outcome.changes.is_empty(),
            "changes": outcome.changes,
            "remarks": remarks,
        })
    }

    fn as_text(&self, outcome: &Outcome) -> String {
        let file = self.path.display();
        let mut lines = Vec::new();
        if outcome.created {
            lines.push(match self.run {
                Run::Made => format!("created {file}, as that of a fresh agent"),
                Run::Dry => format!("would create {file}, as that of a fresh agent"),
            });
        }
        if outcome.changes.is_empty() {
            lines.push(format!("nothing changed in {file}"));
        }
        for change in &outcome.changes {
            lines.push(self.line(change));
        }
        lines.extend(
            outcome
                .remarks
                .iter()
                .map(|remark| format!("note: {remark}")),
        );
        lines.iter().map(|line| printable(line) + "\n").collect()
    }

    fn line(&self, change: &Change) -> String {
        let verb = match (change.action, self.run) {
            (Action::Grant, Run::Made) => "granted",
            (Action::Grant, Run::Dry) => "would grant",
            (Action::Revoke, Run::Made) => "revoked",
            (Action::Revoke, Run::Dry) => "would revoke",
            (Action::Replace, Run::Made) => "granted anew",
            (Action::Replace, Run::Dry) => "would grant anew",
        };
        let names: Vec<_> = change.permissions.iter().map(|name| shown(name)).collect();
        match names.as_slice() {
            [] => format!("{verb} {}: the rule that lists no permission", change.scope),
            names => format!("{verb} {}: {}", change.scope, names.join(", ")),
        }
    }
}

/// A path to share, as the command line has it.
pub(super) fn shared(path: &str) -> Result<SharedPath, Failure> {
    SharedPath::parse(path).map_err(|error| Failure::usage(format_args!("--share {error}")))
}

/// READ or WRITE, in any case.
pub(super) fn parse_access(text: &str) -> Result<Access, String> {
    Access::parse(text).ok_or_else(|| format!("'{text}' is neither READ nor WRITE"))
}

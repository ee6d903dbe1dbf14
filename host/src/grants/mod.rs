//! Granting and revoking by a person's word: what approving a request does to a permissions file, and its reverse.
//!
//! An edit runs as a whole under the file's lock, so that it loses no other and none loses it, and it is noted as that of the command
//! line. It is refused, and nothing is written, when a name is unknown or when the gateway could not decide by the file
//! afterwards. Granting what is granted and revoking what is not changes nothing. Revoking never allows more: see [`revoke`].

mod names;
mod nearness;
mod revoke;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use permission_grants::{Access, Effect, Members, SharedPath, Unmergeable};

pub use self::names::UnknownName;
use crate::permissions::{BuiltinSchemas, CheckError, Engine};
use crate::store::baseline::agent_baseline;
use crate::store::grants::{By, Change, between};
use crate::store::permissions_file::{self, EditError};

/// What is to be granted.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Permissions under a scope.
    Permissions {
        scope: String,
        permissions: Vec<String>,
    },
    /// A file or directory of the person's.
    Share { path: SharedPath, access: Access },
}

/// What is to be revoked.
#[derive(Clone, Debug)]
pub enum Removal {
    /// Permissions under a scope; none named means all of them.
    Permissions {
        scope: String,
        permissions: Vec<String>,
    },
    /// A file or directory of the person's; both accesses when none is named.
    Share {
        path: SharedPath,
        access: Option<Access>,
    },
}

/// What happens when there is no permissions file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is created as that of a fresh agent.
    Create,
    Refuse,
}

/// Whether the edit is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Made,
    /// It is only worked out.
    Dry,
}

/// What an edit did, or would do.
#[derive(Debug, Default)]
pub struct Outcome {
    /// There was no file.
    pub created: bool,
    /// Empty when nothing changes.
    pub changes: Vec<Change>,
    /// What a person should know beside that.
    pub remarks: Vec<Remark>,
}

/// Something about an edit that its changes do not show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    #[error(
        "the rule for {0} asks for no permission, its hooks alone decide; so it is left as it is"
    )]
    HooksAlone(String),
    #[error(
        "the rule for {0} stays and denies everything: without it, a rule further down could decide instead"
    )]
    StaysEmpty(String),
    #[error("the rule for {0} denies everything; it is left as it is")]
    DeniesAlready(String),
    #[error("the hooks of the rule for {0} go with it")]
    HooksGone(String),
    #[error(
        "{} still lists '{permission}' under {scope}, which may cover the same: to take that away too, revoke it there", file.display()
    )]
    Remains {
        scope: String,
        permission: String,
        file: PathBuf,
    },
}

/// Why an edit is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Name(#[from] UnknownName),
    #[error("it {0}; correct it by hand")]
    Shape(#[from] Unmergeable),
    /// Everything that the hooks let through would be allowed.
    #[error(
        "the rule for {0} has hooks, and without a permission they alone would decide, which allows more; leave out --permission to remove the rule with its hooks, or edit it by hand"
    )]
    OnlyHooksLeft(String),
    #[error("the gateway could not decide by it afterwards: {0}")]
    Unusable(CheckError),
}

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("there is no permissions file {}, so nothing can be {}", path.display(), .what)]
    Missing { path: PathBuf, what: &'static str },
    #[error(transparent)]
    Edit(#[from] EditError<Refusal>),
}

/// Edits permissions files for one person.
pub struct Editor<'a> {
    pub engine: &'a Engine,
    /// The schemas that exist without being defined: the engine's own.
    pub schemas: &'a BuiltinSchemas,
    /// Who asks, for the journal.
    pub user: String,
}

impl Editor<'_> {
    /// Adds to the file at `path` what approving a request for it would.
    pub fn grant(
        &self,
        path: &Path,
        wish: &Wish,
        missing: Missing,
        run: Run,
    ) -> Result<Outcome, GrantError> {
        if missing == Missing::Refuse && !path.exists() {
            return Err(absent(path, "granted"));
        }
        self.edit(path, run, |config| {
            let effect = match wish {
                Wish::Permissions { scope, permissions } => {
                    names::check(self.schemas.listing(), config, scope, permissions)?;
                    Effect::predefined(scope, permissions)
                }
                Wish::Share { path, access } => Effect::file_sharing(path, *access),
            };
            permission_grants::merge(config, &effect)?;
            Ok(effect
                .rules
                .iter()
                .filter(|(scope, _)| revoke::is_of_hooks_alone(config, scope))
                .map(|(scope, _)| Remark::HooksAlone(scope.clone()))
                .collect())
        })
    }

    /// Takes from the file at `path` what granting the same would add.
    pub fn revoke(&self, path: &Path, removal: &Removal, run: Run) -> Result<Outcome, GrantError> {
        if !path.exists() {
            return Err(absent(path, "revoked"));
        }
        self.edit(path, run, |config| {
            let schemas = self.schemas;
            match removal {
                Removal::Permissions { scope, permissions } => {
                    let mut remarks = if permissions.is_empty() {
                        revoke::scope(config, scope, schemas)?
                    } else {
                        revoke::permissions(config, scope, permissions, schemas)?
                    };
                    remarks.extend(self.remaining(path, config, scope, permissions));
                    Ok(remarks)
                }
                Removal::Share { path, access } => revoke::share(config, path, *access, schemas),
            }
        })
    }

    /// What still allows what was revoked, in the file as it is then or in one that it includes.
    fn remaining(
        &self,
        path: &Path,
        config: &Members,
        scope: &str,
        revoked: &[String],
    ) -> Option<Remark> {
        let content = permissions_file::render(config.clone());
        // What is wrong with the file is said by whoever checks it.
        let first = self.engine.first_rule(path, &content, scope).ok()??;
        let Some(listed) = first.permissions else {
            return Some(Remark::HooksAlone(scope.to_owned()));
        };
        let mut listed = listed.into_iter();
        let permission = listed.find(|name| {
            revoked.is_empty() || name == names::EVERYTHING || revoked.contains(name)
        })?;
        Some(Remark::Remains {
            scope: scope.to_owned(),
            permission,
            file: first.file.to_path_buf(),
        })
    }

    fn edit(
        &self,
        path: &Path,
        run: Run,
        alter: impl FnOnce(&mut Members) -> Result<Vec<Remark>, Refusal>,
    ) -> Result<Outcome, GrantError> {
        let mut outcome = Outcome::default();
        let change = |before: Option<Members>| {
            outcome.created = before.is_none();
            let before = before.unwrap_or_else(agent_baseline);
            let mut after = before.clone();
            outcome.remarks = alter(&mut after)?;
            outcome.changes = between(&before, &after);
            let content = permissions_file::render(after.clone());
            self.engine.check(path, &content).map_err(|error| {
                names::unknown(self.schemas.listing(), &after, &error)
                    .map_or(Refusal::Unusable(error), Refusal::Name)
            })?;
            Ok(after)
        };
        match run {
            Run::Made => {
                let by = By::CommandLine {
                    user: self.user.clone(),
                };
                permissions_file::edit(path, Some(&by), change)?;
            }
            Run::Dry => permissions_file::rehearse(path, change)?,
        }
        Ok(outcome)
    }
}

fn absent(path: &Path, what: &'static str) -> GrantError {
    GrantError::Missing {
        path: path.to_owned(),
        what,
    }
}

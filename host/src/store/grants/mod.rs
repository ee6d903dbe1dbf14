//! Since when each grant of a permissions file holds, and how it came.
//!
//! The permissions file is the truth, and what it says is all that decides. Beside it lies a journal, `<file>.grants.jsonl`, which
//! says of each edit by this program when it was, by what, and which grants it added and took away. The journal only annotates:
//! what the file grants and the journal does not know was written by hand or before there was a journal, and what the journal
//! knows and the file does not grant is gone.
//!
//! An edit is noted *before* the file is replaced, under the lock of both, and the note says what the file was before. A crash
//! in between leaves a note of an edit that did not happen: it is known by the file still being what it was, it counts for
//! nothing, and the next edit removes it. So no grant of an edit that happened loses its note. Trouble with the journal is
//! logged and never keeps an edit from being made.

mod changes;
mod journal;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::durable::StorageError;
use super::ids::AgentId;
use super::permissions_file::Version;

pub use self::changes::{Action, Change, between};
pub(super) use self::journal::{Note, adopt, discard};

/// What an edit was made by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum By {
    /// A person approved what an agent had asked for, as this extension says.
    Approval {
        request_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        agent_id: Option<AgentId>,
        extension: String,
    },
    /// A person set or removed a rule over HTTP, as this extension says.
    RulesPost { extension: String },
    /// This extension did not say why.
    Extension { extension: String },
    /// A command of this program, which this user gave.
    CommandLine { user: String },
}

/// The edit that a grant comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub at: Timestamp,
    pub by: By,
}

/// Where the grants of one state of a permissions file come from.
#[derive(Debug, Default)]
pub struct Origins {
    /// By scope and permission; a rule that lists no permission has its own under none.
    known: HashMap<(String, Option<String>), Arc<Origin>>,
}

impl Origins {
    /// Those of the file at `path`, links resolved, with this content.
    ///
    /// # Errors
    /// When the journal is there and cannot be read.
    pub(super) fn load(path: &Path, content: &[u8]) -> Result<Self, StorageError> {
        let mut this = Self::default();
        for entry in journal::entries(path, Version::of(content))? {
            let origin = Arc::new(Origin {
                at: entry.at,
                by: entry.by,
            });
            for change in &entry.changes {
                this.apply(change, &origin);
            }
        }
        Ok(this)
    }

    /// The edit that added `permission` under `scope`, or the rule of `scope` that lists none. It tells of a grant only if the
    /// file has that grant.
    pub fn of(&self, scope: &str, permission: Option<&str>) -> Option<&Origin> {
        let key = (scope.to_owned(), permission.map(str::to_owned));
        self.known.get(&key).map(Arc::as_ref)
    }

    fn apply(&mut self, change: &Change, origin: &Arc<Origin>) {
        for grant in change.grants() {
            match change.action {
                Action::Grant | Action::Replace => {
                    self.known.insert(grant, Arc::clone(origin));
                }
                Action::Revoke => {
                    self.known.remove(&grant);
                }
            }
        }
    }
}

/// The members of a permissions file; none when it is no JSON object.
fn members(content: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(content).ok()
}

#[cfg(test)]
mod tests;

//! What an extension is granted. Deny by default, and two-sided: it may use what its manifest asks for *and* the policy grants.
//!
//! The grants of bundled extensions are compiled in. Those of any other component stand beside it in
//! `<latchkey directory>/extensions/<name>.toml`; a component without that file is not loaded.

mod limits;
mod upstreams;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub(super) use self::limits::{Limits, limit, report_reached};
pub(super) use self::upstreams::{Server, UpstreamGrant, WebOrigin};
use super::worlds::{Manifest, PermissionFilesAccess};
use crate::store::durable::{self, StorageError};

/// In bytes; keeps a mistake from filling the memory.
const LARGEST: u64 = 1024 * 1024;

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyError {
    #[error("no policy grants it anything: write {} (for instance `routes = [\"GET /hello\"]`)", .0.display())]
    Missing(PathBuf),
    #[error("its policy cannot be used: {0}")]
    Unreadable(#[from] StorageError),
    #[error("the policy {}, line {line}, is malformed: {detail}", path.display())]
    Malformed {
        path: PathBuf,
        line: usize,
        /// On one line, as the log wants it.
        detail: String,
    },
}

/// Access to permissions files, each level including the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FilesAccess {
    #[default]
    None,
    Read,
    Edit,
}

/// One extension's grants. An empty list grants nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Grants {
    /// `"<METHOD or *> <path pattern>"`, as in the manifest.
    pub(super) routes: BTreeSet<String>,
    pub(super) collections: BTreeSet<String>,
    pub(super) topics: BTreeSet<String>,
    pub(super) settings: BTreeSet<String>,
    pub(super) permission_files: FilesAccess,
    pub(super) catalog: bool,
    /// Servers that it may send requests to.
    pub(super) upstreams: Vec<UpstreamGrant>,
    /// Limit of each instance's linear memories, all together.
    #[serde(deserialize_with = "limits::memory_mib")]
    pub(super) memory_mib: usize,
    /// Limit of each instance's tables, all together.
    #[serde(deserialize_with = "limits::table_elements")]
    pub(super) table_elements: usize,
    /// Instances that answer requests; streaming routes have one more.
    #[serde(deserialize_with = "limits::instances")]
    pub(super) instances: NonZeroUsize,
    /// How long an instance may run without returning to its event loop.
    #[serde(deserialize_with = "limits::watchdog_ms")]
    pub(super) watchdog_ms: u64,
    /// Longest request body; `0` is no limit.
    pub(super) max_body_bytes: u64,
    /// Longest answer of a route that is not streaming; `0` is no limit.
    pub(super) max_response_bytes: u64,
    /// How long a route that is not streaming may take for its answer, to the end; `0` is no limit.
    #[serde(deserialize_with = "limits::request_timeout")]
    pub(super) request_timeout_seconds: Duration,
    /// Requests in progress at once, open streams included; `0` is no limit.
    #[serde(deserialize_with = "limits::concurrency")]
    pub(super) concurrency: usize,
    /// Events that it may publish, twice as many at once; `0` is no limit.
    pub(super) events_per_second: u32,
    /// Calls of the host that wait for the disk, at once: what its neighbours' calls have beside it. Not for a policy to say.
    #[serde(skip)]
    pub(super) disk_calls: NonZeroUsize,
}

impl Grants {
    /// The grants in the file beside a component.
    pub(super) fn read(path: &Path) -> Result<Self, PolicyError> {
        let (content, _) =
            durable::read(path, LARGEST)?.ok_or_else(|| PolicyError::Missing(path.to_owned()))?;
        let text = String::from_utf8(content).map_err(|error| PolicyError::Malformed {
            path: path.to_owned(),
            line: 1 + line_breaks(error.as_bytes().get(..error.utf8_error().valid_up_to())),
            detail: "it is not UTF-8".to_owned(),
        })?;
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let before = error
                .span()
                .and_then(|span| text.as_bytes().get(..span.start));
            PolicyError::Malformed {
                path: path.to_owned(),
                line: 1 + line_breaks(before),
                detail: error.message().replace('\n', "; "),
            }
        })
    }

    /// What the component both asks for and is granted.
    pub(super) fn restricted_to(mut self, manifest: &Manifest) -> Self {
        let asked = |granted: BTreeSet<String>, asked: &[String]| -> BTreeSet<String> {
            granted
                .into_iter()
                .filter(|name| asked.contains(name))
                .collect()
        };
        self.collections = asked(self.collections, &manifest.collections);
        self.topics = asked(self.topics, &manifest.topics);
        self.settings = asked(self.settings, &manifest.settings);
        self.catalog &= manifest.catalog;
        self.upstreams = upstreams::asked_for(self.upstreams, manifest);
        self.permission_files = self.permission_files.min(match manifest.permission_files {
            PermissionFilesAccess::None => FilesAccess::None,
            PermissionFilesAccess::Read => FilesAccess::Read,
            PermissionFilesAccess::Edit => FilesAccess::Edit,
        });
        self
    }

    /// The longest request body, in bytes.
    pub(super) fn body_limit(&self) -> Option<u64> {
        self.limits().body
    }

    /// Whether it may see permissions files, or who asks for what.
    pub(super) fn knows_permissions(&self) -> bool {
        self.permission_files > FilesAccess::None
            || self
                .collections
                .iter()
                .any(|name| name.starts_with("permission_requests"))
    }

    /// Whether the route may be served, by the way it stands in the manifest.
    pub(super) fn allows_route(&self, method: &str, path: &str) -> bool {
        self.routes.contains(&format!("{method} {path}"))
    }
}

fn line_breaks(text: Option<&[u8]>) -> usize {
    let bytes = text.unwrap_or_default().iter();
    bytes.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn manifest() -> Manifest {
        Manifest {
            name: "notes".to_owned(),
            version: "1.0.0".to_owned(),
            routes: Vec::new(),
            collections: vec!["notes".to_owned()],
            topics: Vec::new(),
            settings: vec!["COLOUR".to_owned()],
            permission_files: PermissionFilesAccess::Read,
            catalog: false,
            upstreams: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_granted_that_was_not_asked_for() {
        let granted: Grants = toml::from_str(
            r#"collections = ["notes", "permission_requests/v2"]
               topics = ["permission-requests"]
               permission_files = "edit"
               catalog = true"#,
        )
        .unwrap();
        let effective = granted.restricted_to(&manifest());
        assert_eq!(effective.collections, BTreeSet::from(["notes".to_owned()]));
        assert!(effective.topics.is_empty());
        assert_eq!(effective.permission_files, FilesAccess::Read);
        assert!(!effective.catalog);
    }

    #[test]
    fn nothing_is_granted_that_only_the_manifest_names() {
        let effective = Grants::default().restricted_to(&manifest());
        assert!(effective.collections.is_empty());
        assert!(effective.settings.is_empty());
        assert_eq!(effective.permission_files, FilesAccess::None);
        assert!(!effective.allows_route("GET", "/notes"));
    }

    #[test]
    fn who_sees_permissions_files_or_pending_requests_knows_permissions() {
        for (policy, expected) in [
            ("", false),
            ("catalog = true\ncollections = [\"notes\"]", false),
            ("permission_files = \"read\"", true),
            ("permission_files = \"edit\"", true),
            ("collections = [\"permission_requests/v2\"]", true),
        ] {
            let grants: Grants = toml::from_str(policy).unwrap();
            assert_eq!(grants.knows_permissions(), expected, "{policy}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.toml");
        std::fs::write(&path, "rutes = [\"GET /notes\"]\n").unwrap();
        let error = Grants::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("rutes") && error.contains("notes.toml"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_policy_says_which_file_to_write() {
        let error = Grants::read(Path::new("/nowhere/notes.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/notes.toml"), "{error}");
    }
}

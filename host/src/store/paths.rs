//! Where everything is kept. A `LatchkeyDirectory` is absolute and is valid UTF-8, so that each path under it can stand
//! in a token; nobody else puts these names together.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::durable::{self, PRIVATE_FILE, StorageError};
use super::ids::HostId;

const DEFAULT_PERMISSIONS: &str = "{\n  \"rules\": []\n}";
const ADMIN_PERMISSIONS: &str =
    "{\n  \"rules\": [\n    {\n      \"any\": [\n        \"any\"\n      ]\n    }\n  ]\n}";

/// The name of the file that speaks for requests without an override token.
pub const DEFAULT_FILE: &str = "latchkey_default_permissions.json";

const PLUGIN_DATA: &str = "mngr_latchkey";
const ENCRYPTION_KEY: &str = "encryption_key";
const EXTENSIONS: &str = "extensions";
const COMPILE_CACHE: &str = "compile_cache";

/// Entries of the latchkey directory that only the gateway reads and writes: whoever had one could do what the gateway can.
pub const OWN: [&str; 3] = [ENCRYPTION_KEY, EXTENSIONS, COMPILE_CACHE];

/// Whether an entry of this name in the latchkey directory is the gateway's own, and nobody else may keep anything there.
pub fn is_occupied(name: &str) -> bool {
    name == PLUGIN_DATA || OWN.contains(&name)
}

/// The root of all state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatchkeyDirectory {
    root: PathBuf,
}

/// Why a path cannot be the latchkey directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the latchkey directory must be absolute, got '{}'", .0.display())]
    Relative(PathBuf),
    #[error("the latchkey directory must be valid UTF-8, got {0:?}; choose another path")]
    NotUtf8(OsString),
}

impl LatchkeyDirectory {
    /// Touches nothing on disk; see `initialise`.
    pub fn new(root: &Path) -> Result<Self, DirectoryError> {
        if root.to_str().is_none() {
            return Err(DirectoryError::NotUtf8(root.as_os_str().to_owned()));
        }
        if !root.is_absolute() {
            return Err(DirectoryError::Relative(root.to_owned()));
        }
        // Drops doubled and trailing slashes: tokens carry the path literally.
        Ok(Self {
            root: root.components().collect(),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn plugin_data_dir(&self) -> PathBuf {
        self.root.join(PLUGIN_DATA)
    }

    pub fn encryption_key(&self) -> PathBuf {
        self.root.join(ENCRYPTION_KEY)
    }

    pub fn default_permissions(&self) -> PathBuf {
        self.plugin_data_dir().join(DEFAULT_FILE)
    }

    pub fn admin_permissions(&self) -> PathBuf {
        self.plugin_data_dir()
            .join("latchkey_admin_permissions.json")
    }

    /// Where each host has a directory of its own.
    pub fn hosts_dir(&self) -> PathBuf {
        self.plugin_data_dir().join("hosts")
    }

    /// The permissions file that the agents of one host share.
    pub fn host_permissions(&self, host: &HostId) -> PathBuf {
        self.hosts_dir()
            .join(host.as_str())
            .join("latchkey_permissions.json")
    }

    /// Says that a host's permissions are not enforced for a while.
    pub fn host_observation(&self, host: &HostId) -> PathBuf {
        self.hosts_dir()
            .join(host.as_str())
            .join("latchkey_observe.json")
    }

    /// Where the opaque handles are.
    pub fn handles_dir(&self) -> PathBuf {
        self.plugin_data_dir().join("permissions")
    }

    /// The service catalog that the operator has imported, if any.
    pub fn imported_catalog(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_catalog.json")
    }

    /// The record of the running supervisor.
    pub fn record(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward.json")
    }

    /// Locked by the running supervisor, for as long as it runs.
    pub fn supervisor_lock(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward.lock")
    }

    /// Locked by whoever starts a detached supervisor, until it serves.
    pub fn supervisor_start_lock(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward_start.lock")
    }

    /// What a supervisor must find again after a crash: its gateway, and its sessions on agent hosts.
    pub fn supervisor_memory(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward_memory.json")
    }

    /// What the running supervisor last said about itself.
    pub fn supervisor_status(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward_status.json")
    }

    /// The log of the supervisor and its gateway.
    pub fn events_log(&self) -> PathBuf {
        self.plugin_data_dir().join("events.jsonl")
    }

    /// The raw output of a detached supervisor.
    pub fn forward_log(&self) -> PathBuf {
        self.plugin_data_dir().join("latchkey_forward.log")
    }

    pub fn pending_requests_dir(&self) -> PathBuf {
        self.root.join("permission_requests").join("v2")
    }

    pub fn extensions_dir(&self) -> PathBuf {
        self.root.join(EXTENSIONS)
    }

    pub fn compile_cache_dir(&self) -> PathBuf {
        self.root.join(COMPILE_CACHE)
    }

    /// Creates the directories and the two permissions files that everything relies on; leaves alone what exists.
    pub fn initialise(&self) -> Result<(), StorageError> {
        durable::create_dir_all(&self.plugin_data_dir())?;
        create_when_missing(&self.default_permissions(), DEFAULT_PERMISSIONS)?;
        create_when_missing(&self.admin_permissions(), ADMIN_PERMISSIONS)
    }

    /// Removes the temporary files that crashed writers left in any of these directories. What cannot be looked at or
    /// removed is left for the next time.
    pub fn sweep_temporary_files(&self) {
        let each_host = fs::read_dir(self.hosts_dir())
            .into_iter()
            .flatten()
            .flatten()
            .map(|host| host.path());
        let others = [
            self.root.clone(),
            self.plugin_data_dir(),
            self.handles_dir(),
            self.pending_requests_dir(),
            self.extensions_dir(),
        ];
        for directory in others.into_iter().chain(each_host) {
            match durable::sweep_temporary_files(&directory) {
                Ok(0) => {}
                Ok(count) => tracing::info!(
                    "removed {count} unfinished file(s) from {}",
                    directory.display()
                ),
                // A file where a directory should be is somebody else's to report.
                Err(error) => tracing::debug!("{error}"),
            }
        }
    }
}

fn create_when_missing(path: &Path, content: &str) -> Result<(), StorageError> {
    // Asked first, because a read-only directory that is complete will do.
    if path.symlink_metadata().is_err() {
        durable::create_new(path, content.as_bytes(), PRIVATE_FILE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn only_absolute_utf8_paths_will_do() {
        let message = LatchkeyDirectory::new(Path::new("x/y"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("must be absolute"), "{message}");
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/\xff"));
        assert!(LatchkeyDirectory::new(odd).is_err());
        let directory = LatchkeyDirectory::new(Path::new("/a//b/./c/")).unwrap();
        assert_eq!(directory.root().to_str(), Some("/a/b/c"));
    }

    #[test]
    fn initialising_keeps_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(&root.path().join("new")).unwrap();
        directory.initialise().unwrap();
        let read = |path: PathBuf| {
            serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap()
        };
        assert_eq!(
            read(directory.default_permissions()),
            serde_json::json!({"rules": []})
        );
        assert_eq!(
            read(directory.admin_permissions()),
            serde_json::json!({"rules": [{"any": ["any"]}]})
        );
        fs::write(directory.default_permissions(), b"mine").unwrap();
        directory.initialise().unwrap();
        assert_eq!(fs::read(directory.default_permissions()).unwrap(), b"mine");
    }

    #[test]
    fn leftovers_are_swept_from_every_directory() {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(root.path()).unwrap();
        let host = HostId::parse(&format!("host-{}", "1".repeat(32))).unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let name = format!(".x.json.{}.0123456789abcdef.tmp", child.id());
        let leftovers = [
            directory.handles_dir(),
            directory.pending_requests_dir(),
            directory
                .host_permissions(&host)
                .parent()
                .unwrap()
                .to_owned(),
        ]
        .map(|directory| directory.join(&name));
        for leftover in &leftovers {
            durable::create_dir_all(leftover.parent().unwrap()).unwrap();
            fs::write(leftover, b"").unwrap();
        }
        directory.sweep_temporary_files();
        assert!(!leftovers.iter().any(|leftover| leftover.exists()));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("f"), b"").unwrap();
        let directory = LatchkeyDirectory::new(&root.path().join("f")).unwrap();
        let message = directory.initialise().unwrap_err().to_string();
        assert!(message.contains("a file is in the way"), "{message}");
        assert!(message.contains(root.path().to_str().unwrap()), "{message}");
    }
}

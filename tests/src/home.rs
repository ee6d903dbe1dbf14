//! A person's home directory with a latchkey directory in it, gone when the test is over.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Cli, Outcome};
use crate::compile_cache;

/// The directory and shortcuts to what lies in it.
pub struct Home {
    directory: TempDir,
}

impl Home {
    /// A new, empty one.
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("mngr-latchkey-").expect("a temporary directory");
        Self { directory }
    }

    /// `$HOME` of everything that the test starts, and its working directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The latchkey directory that [`Home::cli`] and gateways are told of.
    pub fn latchkey_directory(&self) -> PathBuf {
        self.path().join("latchkey")
    }

    /// `<latchkey directory>/mngr_latchkey`.
    pub fn plugin_data(&self) -> PathBuf {
        self.latchkey_directory().join("mngr_latchkey")
    }

    /// The permissions file of whoever has no override token.
    pub fn default_permissions(&self) -> PathBuf {
        self.plugin_data().join("latchkey_default_permissions.json")
    }

    /// The permissions file that allows everything.
    pub fn admin_permissions(&self) -> PathBuf {
        self.plugin_data().join("latchkey_admin_permissions.json")
    }

    /// Where pending requests stand, one file each.
    pub fn pending_requests(&self) -> PathBuf {
        self.latchkey_directory().join("permission_requests/v2")
    }

    /// Puts the components there as compiled before, if they have been: whoever starts a gateway here need not do it again.
    #[must_use]
    pub fn with_compiled_components(self) -> Self {
        self.seed_compile_cache();
        self
    }

    /// The same, and where they are: whoever has compiled them here may `compile_cache::publish` them.
    pub(crate) fn seed_compile_cache(&self) -> PathBuf {
        let directory = self.latchkey_directory();
        fs::create_dir_all(&directory).expect("the latchkey directory can be created");
        let cache = directory.join("compile_cache");
        compile_cache::seed(&cache);
        cache
    }

    /// Runs the program with `--latchkey-directory` and these arguments.
    pub fn cli<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.command(arguments)
            .argument("--latchkey-directory")
            .argument(self.latchkey_directory())
            .run()
    }

    /// The program with exactly these arguments, not run yet.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Cli {
        Cli::new(self, arguments)
    }

    /// Writes a permissions file (0600) below the plugin data directory and gives its path.
    pub fn permissions_file(&self, name: &str, content: &Value) -> PathBuf {
        self.write(
            &format!("latchkey/mngr_latchkey/{name}"),
            &content.to_string(),
            0o600,
        )
    }

    /// Writes a file below the home directory, parents included, and gives its path.
    pub fn write(&self, relative: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path().join(relative);
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))
            .expect("the parents can be created");
        fs::write(&path, content).expect("the file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
        path
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// What a JSON file holds.
///
/// # Panics
/// When it cannot be read or is no JSON.
#[track_caller]
pub fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is no JSON: {error}: {text}", path.display()))
}

/// A file's permission bits.
///
/// # Panics
/// When there is no such file.
#[track_caller]
pub fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o7777
}

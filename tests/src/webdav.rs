//! A real WebDAV server, lighttpd, as the file part of a Minds API: what a client names
//! `/minds-api-proxy/api/v1/files/<absolute path>` is a file below a directory of the test's own.
//!
//! It serves nobody who lacks the key, and says at its end what it was asked. Panics where it is not installed.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::within_patience;

/// The running server. Killed when dropped; what it complained of is shown when the test fails.
pub struct WebDav {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
    base: String,
}

impl WebDav {
    /// One whose API lies below the path `base`, and which insists on `key`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(base: &str, key: &str) -> Self {
        let directory = TempDir::with_prefix("webdav-").expect("a temporary directory");
        let path = directory.path();
        for part in ["root", "uploads"] {
            fs::create_dir(path.join(part)).expect("a directory can be created");
        }
        let configuration = path.join("lighttpd.conf");
        fs::write(&configuration, settings(path, key)).expect("the configuration can be written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        // Debian keeps it where only root looks by default.
        let search = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let child = Command::new("lighttpd")
            .env_clear()
            .env("PATH", search)
            .args(["-D", "-f"])
            .arg(&configuration)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("lighttpd: {error}; tests/run says how to install it, and its mod_webdav")
            });
        let server = Self {
            child,
            directory,
            address,
            base: base.to_owned(),
        };
        fs::create_dir_all(server.files_root()).expect("a directory can be created");
        server
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.base)
    }

    /// Where the file lies that clients know by an absolute path.
    pub fn file(&self, shared: &str) -> PathBuf {
        self.files_root().join(shared.trim_start_matches('/'))
    }

    /// Writes such a file, parents included.
    pub fn write(&self, shared: &str, content: &str) {
        let path = self.file(shared);
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))
            .expect("the parents can be created");
        fs::write(path, content).expect("the file can be written");
    }

    /// Everything that it serves: files with their content, directories without.
    pub fn files(&self) -> BTreeMap<String, Option<String>> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.files_root()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).expect("a directory can be read") {
                let path = entry.expect("a directory can be read").path();
                let shared = path.strip_prefix(self.files_root()).expect("it lies below");
                let shared = format!("/{}", shared.display());
                if path.is_dir() {
                    found.insert(shared, None);
                    directories.push(path);
                } else {
                    let content = fs::read(&path).expect("a file can be read");
                    let content = String::from_utf8_lossy(&content).into_owned();
                    found.insert(shared, Some(content));
                }
            }
        }
        found
    }

    /// Stops it. Gives what it was asked, in order, as `<method> <path> <status>`, the path percent-encoded.
    pub async fn stop(mut self) -> Vec<String> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).expect("a process number");
        kill_process(id, Signal::TERM).expect("the server takes signals");
        within_patience("the WebDAV server stops", self.child.wait())
            .await
            .expect("a child can be awaited");
        let log = fs::read_to_string(self.directory.path().join("access.log"))
            .expect("the server keeps a log");
        log.lines().map(str::to_owned).collect()
    }

    fn files_root(&self) -> PathBuf {
        let base = self.base.trim_matches('/');
        self.directory
            .path()
            .join("root")
            .join(base)
            .join("api/v1/files")
    }
}

impl Drop for WebDav {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("error.log"));
            eprintln!(
                "-- log of the WebDAV server --\n{}\n-- end of log --",
                log.unwrap_or_default()
            );
        }
    }
}

/// The socket is handed to it as its standard input, so that no port is lost between choosing and binding.
fn settings(directory: &Path, key: &str) -> String {
    let directory = directory.display();
    format!(
        r#"server.modules = ("mod_access", "mod_webdav", "mod_accesslog")
server.bind = "/dev/stdin"
server.document-root = "{directory}/root"
server.upload-dirs = ("{directory}/uploads")
server.errorlog = "{directory}/error.log"
accesslog.filename = "{directory}/access.log"
accesslog.format = "%m %U %s"
webdav.activate = "enable"
webdav.sqlite-db-name = "{directory}/webdav.db"
$REQUEST_HEADER["authorization"] != "Bearer {key}" {{ url.access-deny = ("") }}
"#
    )
}

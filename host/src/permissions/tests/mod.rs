//! The engine as its callers use it: files in a directory, requests, decisions.

mod files;
mod hooks;
mod hostile;
mod keywords;
mod rules;
mod schemas;
mod seeds;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::{BuiltinSchemas, CheckError, Decision, Engine, Request};

/// A directory of permissions files and an engine that reads them.
struct Sandbox {
    directory: TempDir,
    engine: Engine,
}

impl Sandbox {
    fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a temporary directory"),
            engine: Engine::new(BuiltinSchemas::standard()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl ToString) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content.to_string()).expect("written");
        self
    }

    fn script(&self, name: &str, content: &str) -> &Self {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755))
            .expect("made executable");
        self
    }

    async fn decide(&self, request: &Request) -> Result<Decision, CheckError> {
        self.engine.decide(&self.path("root.json"), request).await
    }

    async fn get(&self, url: &str) -> Result<Decision, CheckError> {
        self.decide(&get(url)).await
    }

    async fn allows(&self, url: &str) -> bool {
        self.get(url).await.expect("a decision") == Decision::Allowed
    }

    async fn failure(&self, url: &str) -> String {
        self.get(url).await.expect_err("a failure").to_string()
    }
}

fn get(url: &str) -> Request {
    Request::new(
        "GET",
        &Url::parse(url).expect("a URL"),
        std::iter::empty(),
        None,
        None,
    )
}

fn path_schema(pattern: &str) -> Value {
    json!({"properties": {"path": {"type": "string", "pattern": pattern}}, "required": ["path"]})
}

const URL: &str = "https://example.com/a";

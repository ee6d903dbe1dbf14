//! SHA-256 of files, trees and lists, and the reading of files that it needs. Every read error names its path.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A SHA-256 in lower-case hex, as `sha256sum` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Takes what a record holds; a value that no hash function yields simply never compares equal.
    pub fn recorded(hex: &str) -> Self {
        Self(hex.to_owned())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub fn of_bytes(bytes: &[u8]) -> Digest {
    Digest(
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

pub fn of_file(path: &Path) -> Result<Digest, Error> {
    read(path).map(|bytes| of_bytes(&bytes))
}

/// The digest of a set of lines: their order does not count.
pub fn of_lines(mut lines: Vec<String>) -> Digest {
    lines.sort_unstable();
    of_bytes(lines.join("\n").as_bytes())
}

pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| Error::Malformed {
        path: path.into(),
        reason: error.to_string(),
    })
}

/// Every file below the directory, but none that cargo keeps out of a library: hidden files, build output, tests and benchmarks.
pub fn files_below(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    const NOT_COMPILED: [&str; 4] = ["target", "tests", "benches", "examples"];
    let failed = |source| Error::Read {
        path: directory.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if !path.is_dir() {
            files.push(path);
        } else if !NOT_COMPILED.contains(&name.as_ref()) {
            files.extend(files_below(&path)?);
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_what_sha256sum_prints() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of_bytes(b"").to_string(), empty);
    }

    #[test]
    fn order_of_lines_does_not_count() {
        let lines = |lines: [&str; 2]| of_lines(lines.map(str::to_owned).to_vec());
        assert_eq!(lines(["a", "b"]), lines(["b", "a"]));
        assert_ne!(lines(["a", "b"]), lines(["a", "c"]));
    }

    #[test]
    fn only_what_can_be_compiled_in_is_listed() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "src/lib.rs",
            "src/.lib.rs.swp",
            "tests/all.rs",
            "target/out",
            "Cargo.toml",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let found = files_below(root.path()).unwrap();
        assert_eq!(
            found,
            [
                root.path().join("Cargo.toml"),
                root.path().join("src/lib.rs")
            ]
        );
    }

    #[test]
    fn unreadable_directory_is_named() {
        let error = files_below(Path::new("/nonexistent/sources"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nonexistent/sources"), "{error}");
    }
}

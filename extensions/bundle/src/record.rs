//! What stands beside the bundled components: `SHA256SUMS`, which `sha256sum -c` reads, and `BUILDINFO`, which says what built them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::{self, Digest};
use crate::error::Error;
use crate::toolchain::Compiler;

const HEADING: &str = "# Written by `cargo run -p bundle`: what the components in this directory were built by and from.\n\n";

/// The content of `BUILDINFO`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuildInfo {
    /// SHA-256 of the component target's standard library.
    pub standard_library: Digest,
    pub compiler: Compiler,
    /// SHA-256 of each component's sources, by component.
    pub sources: BTreeMap<String, Digest>,
}

/// The directory that holds the components and their records.
pub struct Bundled {
    directory: PathBuf,
}

impl Bundled {
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub fn component(&self, name: &str) -> PathBuf {
        self.directory.join(file_name(name))
    }

    /// Writes the components, then their records: an interrupted run leaves records that do not match, which the check reports.
    pub fn write(
        &self,
        components: &BTreeMap<&str, Vec<u8>>,
        info: &BuildInfo,
    ) -> Result<(), Error> {
        fs::create_dir_all(&self.directory).map_err(|source| Error::Write {
            path: self.directory.clone(),
            source,
        })?;
        let mut sums = String::new();
        for (name, bytes) in components {
            write(&self.component(name), bytes)?;
            sums.push_str(&format!(
                "{}  {}\n",
                digest::of_bytes(bytes),
                file_name(name)
            ));
        }
        write(&self.directory.join("SHA256SUMS"), sums.as_bytes())?;
        let path = self.directory.join("BUILDINFO");
        let text = toml::to_string(info).map_err(|error| Error::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        write(&path, format!("{HEADING}{text}").as_bytes())
    }

    /// Reads `BUILDINFO`; `None` when nothing has been built yet.
    pub fn info(&self) -> Result<Option<BuildInfo>, Error> {
        let path = self.directory.join("BUILDINFO");
        if path.exists() {
            digest::read_toml(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// What `SHA256SUMS` says, by component; empty when nothing has been built yet.
    pub fn sums(&self) -> Result<BTreeMap<String, Digest>, Error> {
        let path = self.directory.join("SHA256SUMS");
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        let text = fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        text.lines().map(|line| parse_sum(&path, line)).collect()
    }
}

fn file_name(component: &str) -> String {
    format!("{component}.wasm")
}

fn parse_sum(path: &Path, line: &str) -> Result<(String, Digest), Error> {
    let parsed = line
        .split_once("  ")
        .and_then(|(sum, file)| Some((file.strip_suffix(".wasm")?, sum)));
    let (name, sum) = parsed.ok_or_else(|| Error::Malformed {
        path: path.into(),
        reason: format!("`{line}` is not `<sha256>  <name>.wasm`"),
    })?;
    Ok((name.to_owned(), Digest::recorded(sum)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> BuildInfo {
        BuildInfo {
            standard_library: Digest::recorded("aa"),
            compiler: Compiler {
                release: "1.95.0".into(),
                commit: "59807616e".into(),
                llvm: "22.1.2".into(),
                host: "x86_64-unknown-linux-gnu".into(),
            },
            sources: BTreeMap::from([("permissions".into(), Digest::recorded("bb"))]),
        }
    }

    #[test]
    fn records_are_read_back_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let bundled = Bundled::at(directory.path().join("bundled"));
        assert!(bundled.info().unwrap().is_none());
        assert!(bundled.sums().unwrap().is_empty());

        bundled
            .write(
                &BTreeMap::from([("permissions", b"\0asm".to_vec())]),
                &info(),
            )
            .unwrap();
        assert_eq!(bundled.info().unwrap(), Some(info()));
        let sum = bundled.sums().unwrap().remove("permissions").unwrap();
        assert_eq!(
            sum,
            digest::of_file(&bundled.component("permissions")).unwrap()
        );
    }

    #[test]
    fn foreign_line_in_the_sums_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("SHA256SUMS"), "hello\n").unwrap();
        let error = Bundled::at(directory.path().into())
            .sums()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("SHA256SUMS") && error.contains("hello"),
            "{error}"
        );
    }
}

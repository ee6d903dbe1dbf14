//! The record of the running supervisor, and whether it still runs.
//!
//! The record has exactly three members: readers of other versions reject a fourth and take the file as absent. A record
//! proves nothing by itself; its process must exist and show itself as `mngr latchkey forward`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable::{self, PRIVATE_FILE, StorageError};
use super::paths::LatchkeyDirectory;
use super::process::Process;

const SIZE_LIMIT: u64 = 64 * 1024;
const DIRECTORY_OPTION: &str = "--latchkey-directory";

/// Who supervises a latchkey directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub pid: i32,
    /// ISO 8601, UTC.
    pub started_at: String,
    /// None while the gateway is still starting.
    pub gateway_port: Option<u16>,
}

impl Record {
    /// The record in the file at `path`; none when there is no file or it is no record.
    pub fn load(path: &Path) -> Result<Option<Self>, StorageError> {
        let found = durable::read(path, SIZE_LIMIT)?;
        Ok(found.and_then(|(content, _)| serde_json::from_slice(&content).ok()))
    }

    /// Whether the process still exists and supervises `directory`: its number may have gone to another program, or to the
    /// supervisor of another directory.
    pub fn is_alive(&self, directory: &LatchkeyDirectory) -> bool {
        Process::look_up(self.pid).is_some_and(|process| {
            is_supervisor(&process.command_line) && !names_another(&process.command_line, directory)
        })
    }

    /// Replaces the file at `path`.
    pub fn save(&self, path: &Path) -> Result<(), StorageError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| StorageError::new("write", path, error.into()))?;
        text.push(b'\n');
        durable::write(path, &text, PRIVATE_FILE)
    }
}

/// Whether a command line has the words `mngr`, `latchkey` and `forward` in this order.
fn is_supervisor(arguments: &[OsString]) -> bool {
    // A process may have set its title as one string.
    let line = arguments.join(OsStr::new(" "));
    let line = line.to_string_lossy();
    let mut words = line.split_whitespace();
    words.any(|word| word.rsplit('/').next() == Some("mngr"))
        && words.any(|word| word == "latchkey")
        && words.any(|word| word == "forward")
}

/// Whether a command line says that it is about another directory. One that says nothing may be about this one.
fn names_another(arguments: &[OsString], directory: &LatchkeyDirectory) -> bool {
    let mut arguments = arguments.iter();
    let mut named = None;
    while let Some(argument) = arguments.next() {
        if argument == DIRECTORY_OPTION {
            named = arguments.next().map(PathBuf::from);
        } else if let Some(value) = argument
            .as_bytes()
            .strip_prefix(DIRECTORY_OPTION.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
        {
            named = Some(PathBuf::from(OsStr::from_bytes(value)));
        }
    }
    // A relative one, or one with a tilde, is understood by that process alone.
    named
        .filter(|named| named.is_absolute())
        .is_some_and(|named| !is_same(&named, directory.root()))
}

/// Whether two paths lead to one place; the paths themselves decide where there is none.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.components().eq(other.components()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split('\0').map(OsString::from).collect()
    }

    #[test]
    fn supervisors_are_recognised_by_their_words() {
        for line in [
            "mngr\0latchkey\0forward\0",
            "/usr/bin/python3\0/opt/bin/mngr\0latchkey\0forward\0--latchkey-directory\0/d\0",
            "mngr latchkey forward",
        ] {
            assert!(is_supervisor(&arguments(line)), "{line}");
        }
        for line in [
            "",
            "mngr\0latchkey\0",
            "latchkey\0forward\0mngr\0",
            "mngr\0forward\0latchkey\0",
            "xmngr\0latchkey\0forward\0",
        ] {
            assert!(!is_supervisor(&arguments(line)), "{line}");
        }
    }

    #[test]
    fn a_supervisor_of_another_directory_is_told_apart_if_it_names_it() {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().join("here");
        fs::create_dir(&here).unwrap();
        std::os::unix::fs::symlink(&here, root.path().join("link")).unwrap();
        let directory = LatchkeyDirectory::new(&here).unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        for (line, expected) in [
            ("mngr\0latchkey\0forward".to_owned(), false),
            (
                format!(
                    "mngr\0latchkey\0forward\0--latchkey-directory\0{}",
                    path("here/")
                ),
                false,
            ),
            (
                format!(
                    "mngr\0latchkey\0forward\0--latchkey-directory={}",
                    path("link")
                ),
                false,
            ),
            (
                "mngr\0latchkey\0forward\0--latchkey-directory\0~/x".to_owned(),
                false,
            ),
            (
                format!(
                    "mngr\0latchkey\0forward\0--latchkey-directory\0{}",
                    path("there")
                ),
                true,
            ),
        ] {
            assert_eq!(
                names_another(&arguments(&line), &directory),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        assert_eq!(Record::load(&path).unwrap(), None);
        for content in [
            "",
            "{}",
            r#"{"pid":1,"started_at":"x","gateway_port":1,"more":1}"#,
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(Record::load(&path).unwrap(), None, "{content}");
        }
        fs::write(&path, r#"{"pid":1,"started_at":"x","gateway_port":null}"#).unwrap();
        let record = Record::load(&path).unwrap().unwrap();
        assert_eq!((record.pid, record.gateway_port), (1, None));
        let latchkey_directory = LatchkeyDirectory::new(directory.path()).unwrap();
        assert!(!record.is_alive(&latchkey_directory));
    }
}

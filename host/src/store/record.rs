//! The record of the running supervisor, and whether it still runs.
//!
//! The record has exactly three members: readers of other versions reject a fourth and take the file as absent. A record
//! proves nothing by itself; its process must exist and show itself as `mngr latchkey forward`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::durable::{self, StorageError};

const SIZE_LIMIT: u64 = 64 * 1024;

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

    /// Whether the process still exists and is a supervisor: the number may have gone to another program.
    pub fn is_alive(&self) -> bool {
        // Empty for a process that has ended and was not waited for yet.
        fs::read(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| is_supervisor(&line))
    }
}

/// Whether a command line, its arguments ended by NUL, has the words `mngr`, `latchkey` and `forward` in this order.
fn is_supervisor(command_line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(command_line);
    // A process may have set its title as one string.
    let mut words = line.split(|character: char| character == '\0' || character.is_whitespace());
    words.any(|word| word.rsplit('/').next() == Some("mngr"))
        && words.any(|word| word == "latchkey")
        && words.any(|word| word == "forward")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supervisors_are_recognised_by_their_words() {
        for line in [
            "mngr\0latchkey\0forward\0",
            "/usr/bin/python3\0/opt/bin/mngr\0latchkey\0forward\0--latchkey-directory\0/d\0",
            "mngr latchkey forward",
        ] {
            assert!(is_supervisor(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "mngr\0latchkey\0",
            "latchkey\0forward\0mngr\0",
            "mngr\0forward\0latchkey\0",
            "xmngr\0latchkey\0forward\0",
        ] {
            assert!(!is_supervisor(line.as_bytes()), "{line}");
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
        assert!(!record.is_alive());
    }
}

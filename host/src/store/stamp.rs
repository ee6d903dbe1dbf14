//! When something that was read from a file has to be read again.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Longer than the coarsest clock tick that a file system stamps changes with: after it, a second change shows.
const TICK: Duration = Duration::from_millis(50);

/// The identity of one state of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    is_file: bool,
}

/// What `stat` said of a path before its content was read; absence is a state too.
///
/// Two changes within one clock tick look alike, so a reading that was made right after a change is never taken as
/// current: it is repeated until the change is old enough.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    state: Option<State>,
    settled: bool,
}

impl Stamp {
    /// The state of `path` now, symbolic links followed. One `stat`.
    ///
    /// # Errors
    /// What `stat` fails with, except that a missing file is a state.
    pub fn of(path: &Path) -> io::Result<Self> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Self::of_metadata(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                state: None,
                settled: true,
            }),
            Err(error) => Err(error),
        }
    }

    fn of_metadata(metadata: &Metadata) -> Self {
        let state = State {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            is_file: metadata.is_file(),
        };
        Self {
            state: Some(state),
            // Only the kernel sets the time of the change; that of the modification is anybody's.
            settled: is_old(state.changed),
        }
    }

    /// The stamp of what could not be read: never current.
    pub fn never() -> Self {
        Self {
            state: None,
            settled: false,
        }
    }

    /// Whether there was nothing at the path.
    pub fn is_missing(&self) -> bool {
        self.state.is_none() && self.settled
    }

    /// Whether it is the stamp of a regular file.
    pub fn is_file(&self) -> bool {
        self.state.is_some_and(|state| state.is_file)
    }

    /// Whether content read after this stamp is what the path still holds. One `stat`; false when that fails.
    pub fn is_current(&self, path: &Path) -> bool {
        self.settled && Self::of(path).is_ok_and(|now| now.state == self.state)
    }

    /// Whether both describe the same state, long enough after the change to be sure.
    pub fn is_same(&self, other: &Self) -> bool {
        self.settled && self.state == other.state
    }
}

fn is_old((seconds, nanoseconds): (i64, i64)) -> bool {
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds))
    else {
        return true;
    };
    let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    // A time in the future is no proof of anything.
    SystemTime::now()
        .duration_since(at)
        .is_ok_and(|age| age > TICK)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_fresh_change_is_not_trusted_and_an_old_one_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, "1").unwrap();
        let fresh = Stamp::of(&path).unwrap();
        assert!(!fresh.is_current(&path), "{fresh:?}");
        assert!(!is_old((i64::MAX, 0)), "a time to come is not old");
        assert!(is_old((0, 0)));
    }

    #[test]
    fn every_kind_of_change_shows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let absent = Stamp::of(&path).unwrap();
        assert!(absent.is_current(&path));
        std::fs::write(&path, "1").unwrap();
        assert!(!absent.is_current(&path), "it has appeared");

        let settled = Stamp {
            settled: true,
            ..Stamp::of(&path).unwrap()
        };
        assert!(settled.is_current(&path));
        let replacement = directory.path().join("y");
        std::fs::write(&replacement, "2").unwrap();
        std::fs::rename(&replacement, &path).unwrap();
        assert!(!settled.is_current(&path), "it has been replaced");

        let settled = Stamp {
            settled: true,
            ..Stamp::of(&path).unwrap()
        };
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(7)
            .unwrap();
        assert!(!settled.is_current(&path), "it has grown");
    }
}

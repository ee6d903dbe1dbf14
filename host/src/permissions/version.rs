//! What tells two versions of a file apart without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Two changes within one tick of the file system's clock look alike; this is longer than any tick.
const TICK: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The version that stands at `path` now, `None` when nothing does.
    pub(super) fn now_at(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|metadata| Self::of(&metadata))
    }

    /// Whether a change made after `moment` is certain to show. Only the kernel sets the time of the change, so it is
    /// what counts.
    pub(super) fn is_settled_at(&self, moment: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds))
        else {
            return true;
        };
        let changed = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        moment.duration_since(changed).is_ok_and(|age| age > TICK)
    }
}

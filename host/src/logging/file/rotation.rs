//! How full log files are put aside: `<name>.<YYYYMMDDHHMMSSffffff>`, the time in UTC, the newest few kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// When a file is full, and how many full ones are kept.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    pub bytes: u64,
    pub kept: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            bytes: 10_000_000,
            kept: 10,
        }
    }
}

impl Rotation {
    /// Puts the file aside. A file that is gone is put aside already.
    pub(super) fn rotate(&self, path: &Path) -> io::Result<()> {
        let newest = rotated(path).into_iter().map(|(number, _)| number).max();
        // A clock that was set back shall not make the newest file look like the oldest.
        let number = newest.map_or(now(), |newest| now().max(newest.saturating_add(1)));
        match fs::rename(path, beside(path, number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.prune(path);
        Ok(())
    }

    /// Removes the oldest beyond those kept. What cannot be removed is left for the next time.
    pub(super) fn prune(&self, path: &Path) {
        let mut rotated = rotated(path);
        rotated.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        for (_, old) in rotated.into_iter().skip(self.kept) {
            let _ = fs::remove_file(old);
        }
    }
}

fn now() -> u128 {
    let time = Timestamp::now().to_zoned(TimeZone::UTC);
    time.strftime("%Y%m%d%H%M%S%6f")
        .to_string()
        .parse()
        .unwrap_or_default()
}

fn beside(path: &Path, number: u128) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:020}"));
    name.into()
}

/// The files that were put aside before, with their numbers.
pub(crate) fn rotated(path: &Path) -> Vec<(u128, PathBuf)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let number = |other: &Path| -> Option<u128> {
        let suffix = other.file_name()?.to_str()?.strip_prefix(name)?;
        let digits = suffix.strip_prefix('.')?;
        (digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())
            .flatten()
    };
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            number(&path).map(|number| (number, path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_strangers_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let names = || -> Vec<String> {
            let entries = fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let strangers = ["events.jsonl.bak", "events.jsonl.1x", "other.jsonl.1"];
        for name in strangers {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let rotation = Rotation { bytes: 1, kept: 2 };
        // A file of tomorrow: the clock was set back since.
        fs::write(beside(&path, 29_990_101_000_000_000_000), "0").unwrap();
        for content in ["1", "2", "3"] {
            fs::write(&path, content).unwrap();
            rotation.rotate(&path).unwrap();
        }
        rotation.rotate(&path).unwrap();
        let kept = [
            "events.jsonl.29990101000000000002",
            "events.jsonl.29990101000000000003",
        ];
        let mut expected: Vec<&str> = kept.into_iter().chain(strangers).collect();
        expected.sort_unstable();
        assert_eq!(names(), expected);
        for (name, content) in kept.into_iter().zip(["2", "3"]) {
            let found = fs::read_to_string(directory.path().join(name)).unwrap();
            assert_eq!(found, content, "{name}");
        }
    }

    #[test]
    fn the_name_is_the_time() {
        let name = now().to_string();
        assert_eq!(name.len(), 20, "{name}");
        let year: i16 = name[..4].parse().unwrap();
        let this_year = Timestamp::now().to_zoned(TimeZone::UTC).year();
        assert!((this_year - 1..=this_year).contains(&year), "{name}");
    }
}

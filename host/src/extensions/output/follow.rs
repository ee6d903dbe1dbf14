//! Goes on where reading an extension's output back ended, also when a full file is put aside.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files;
use super::printable::printable_bytes;
use super::tail::{End, LONGEST_LINE, open, read};
use crate::store::durable::StorageError;

/// Read at once; far more than an extension may write between two looks.
const MOST: u64 = 4 * 1024 * 1024;

/// Reads an extension's output as it is written.
pub struct Follower {
    /// None for a name that no extension has.
    path: Option<PathBuf>,
    end: Option<End>,
}

impl Follower {
    /// One that begins where the last `lines` lines end, and these.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn start(
        directory: &Path,
        name: &str,
        lines: usize,
    ) -> Result<(Self, Vec<String>), StorageError> {
        let (mut last, end) = read(directory, name, lines)?;
        if end.as_ref().is_some_and(|end| !end.begun.is_empty()) {
            // It will be given when it is whole.
            last.pop();
        }
        let path = files::is_name(name).then(|| files::path(&super::directory(directory), name));
        Ok((Self { path, end }, last))
    }

    /// The lines that have been written since. Blocking, but never waits.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn more(&mut self) -> Result<Vec<String>, StorageError> {
        let mut lines = Vec::new();
        let Some(path) = &self.path else {
            return Ok(lines);
        };
        loop {
            // Looked at before the last reading, so that nothing is written to a file that has been left.
            let is_current = self.end.as_ref().is_some_and(|end| is_at(&end.file, path));
            if let Some(end) = &mut self.end {
                end.read_on(&mut lines)
                    .map_err(|source| StorageError::new("read", path, source))?;
            }
            if is_current {
                return Ok(lines);
            }
            match open(path)? {
                Some(file) => {
                    let begun = Vec::new();
                    self.end = Some(End { file, begun });
                }
                None => return Ok(lines),
            }
        }
    }
}

/// Whether the file is still the one at the path.
fn is_at(file: &File, path: &Path) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(current), Ok(own)) => (current.dev(), current.ino()) == (own.dev(), own.ino()),
        _ => false,
    }
}

impl End {
    /// Adds the lines that have become whole.
    fn read_on(&mut self, lines: &mut Vec<String>) -> std::io::Result<()> {
        (&self.file).take(MOST).read_to_end(&mut self.begun)?;
        let whole = memchr::memrchr(b'\n', &self.begun).map_or(0, |position| position + 1);
        let text: Vec<u8> = self.begun.drain(..whole).collect();
        // What has no end is somebody else's, and not kept for ever.
        self.begun.truncate(LONGEST_LINE);
        let read = text.split(|&byte| byte == b'\n');
        lines.extend(
            read.filter(|line| !line.is_empty())
                .map(|line| printable_bytes(line, LONGEST_LINE)),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    struct Scene {
        root: tempfile::TempDir,
        log: PathBuf,
    }

    impl Scene {
        fn set() -> Self {
            let root = tempfile::tempdir().unwrap();
            let logs = crate::extensions::output::directory(root.path());
            fs::create_dir(&logs).unwrap();
            Self {
                root,
                log: logs.join("noisy.log"),
            }
        }

        fn write(&self, text: &str) {
            let mut options = OpenOptions::new();
            let mut file = options.create(true).append(true).open(&self.log).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn put_aside(&self) {
            fs::rename(
                &self.log,
                self.log.with_extension("log.20261121000000000000"),
            )
            .unwrap();
        }

        fn follow(&self, lines: usize) -> (Follower, Vec<String>) {
            Follower::start(self.root.path(), "noisy", lines).unwrap()
        }
    }

    #[test]
    fn what_is_written_follows_the_last_lines_without_a_gap_or_a_repetition() {
        let scene = Scene::set();
        scene.write("1\n2\n3\nhal");
        let (mut follower, last) = scene.follow(3);
        assert_eq!(last, ["2", "3"]);
        assert_eq!(follower.more().unwrap(), [""; 0]);
        scene.write("f\n5\u{1b}[31m\n");
        assert_eq!(follower.more().unwrap(), ["half", "5"]);
    }

    #[test]
    fn a_file_that_is_put_aside_is_read_to_its_end() {
        let scene = Scene::set();
        scene.write("1\n");
        let (mut follower, _) = scene.follow(0);
        scene.write("2\n");
        scene.put_aside();
        assert_eq!(follower.more().unwrap(), ["2"]);
        scene.write("3\n");
        assert_eq!(follower.more().unwrap(), ["3"]);
        assert_eq!(follower.more().unwrap(), [""; 0]);
    }

    #[test]
    fn output_may_begin_later() {
        let scene = Scene::set();
        let (mut follower, last) = scene.follow(9);
        assert_eq!(last, [""; 0]);
        assert_eq!(follower.more().unwrap(), [""; 0]);
        scene.write("1\n");
        assert_eq!(follower.more().unwrap(), ["1"]);
    }

    #[test]
    fn a_name_that_is_none_is_followed_nowhere() {
        let scene = Scene::set();
        fs::write(scene.root.path().join("secret.log"), "no\n").unwrap();
        let (mut follower, last) = Follower::start(scene.root.path(), "../secret", 9).unwrap();
        assert_eq!(last, [""; 0]);
        assert_eq!(follower.more().unwrap(), [""; 0]);
    }
}

//! Reads an extension's output back.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::files;
use super::printable::printable_bytes;
use crate::logging::file::rotated;
use crate::store::durable::StorageError;

/// More of a file is not read; one that the gateway wrote is smaller.
const MOST: u64 = 1024 * 1024;
/// A line that the gateway wrote is shorter.
pub(super) const LONGEST_LINE: usize = 32 * 1024;

/// The last `lines` lines of the extension's output, in the order in which they were written; none when it has written
/// nothing. `directory` is where extensions stand. A line that was cut short is given as far as it goes. Blocking.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn tail(directory: &Path, name: &str, lines: usize) -> Result<Vec<String>, StorageError> {
    read(directory, name, lines).map(|(last, _)| last)
}

/// Where reading ended in the file that is written to.
pub(super) struct End {
    pub(super) file: File,
    /// Of a line that is not whole yet; it is the last of those that were read.
    pub(super) begun: Vec<u8>,
}

/// As [`tail`], and where it ended.
pub(super) fn read(
    directory: &Path,
    name: &str,
    lines: usize,
) -> Result<(Vec<String>, Option<End>), StorageError> {
    if !files::is_name(name) {
        return Ok((Vec::new(), None));
    }
    let path = files::path(&super::directory(directory), name);
    // Opened before the one that was put aside is looked for: if it is put aside in between, it is met twice and known.
    let current = open(&path)?;
    let aside = rotated(&path)
        .into_iter()
        .max()
        .map(|(_, path)| open(&path).map(|file| (path, file)));
    let mut last = VecDeque::new();
    let (mut known, mut end) = (None, None);
    let aside = aside.transpose()?;
    for (path, file) in aside.into_iter().chain([(path, current)]) {
        let Some(mut file) = file else { continue };
        let error = |source| StorageError::new("read", &path, source);
        let metadata = file.metadata().map_err(error)?;
        let identity = (metadata.dev(), metadata.ino());
        if known.replace(identity) == Some(identity) {
            continue;
        }
        let text = end_of(&mut file).map_err(error)?;
        for line in text.split(|&byte| byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            if last.len() >= lines {
                last.pop_front();
            }
            if lines > 0 {
                last.push_back(printable_bytes(line, LONGEST_LINE));
            }
        }
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |position| position + 1);
        let begun = text.get(whole..).unwrap_or_default().to_vec();
        end = Some(End { file, begun });
    }
    Ok((last.into(), end))
}

/// What stands at the end of the file, from the beginning of a line.
fn end_of(file: &mut File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let from = size.saturating_sub(MOST);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    if from > 0 {
        let whole = memchr::memchr(b'\n', &text).map_or(text.len(), |position| position + 1);
        text.drain(..whole);
    }
    Ok(text)
}

/// None when there is no file.
pub(super) fn open(path: &Path) -> Result<Option<File>, StorageError> {
    // A pipe in the place of a file is not waited for.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(nonblocking).open(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StorageError::new("read", path, source)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let logs = crate::extensions::output::directory(directory.path());
        fs::create_dir(&logs).unwrap();
        for (name, content) in files {
            fs::write(logs.join(name), content).unwrap();
        }
        directory
    }

    #[test]
    fn the_last_lines_of_both_files_come_in_order() {
        let directory = directory(&[
            ("noisy.log.20261121000000000000", "1\n2\n3\n"),
            ("noisy.log", "4\n5"),
            ("noisy-other.log", "6\n"),
        ]);
        let tail = |lines| tail(directory.path(), "noisy", lines).unwrap();
        assert_eq!(tail(100), ["1", "2", "3", "4", "5"]);
        assert_eq!(tail(3), ["3", "4", "5"]);
        assert_eq!(tail(0), [""; 0]);
    }

    #[test]
    fn an_extension_without_output_and_a_name_that_is_none_have_no_lines() {
        let directory = directory(&[("noisy.log", "1\n")]);
        fs::write(directory.path().join("secret.log"), "no\n").unwrap();
        for name in ["quiet", "../secret", "", ".", "a/b"] {
            assert_eq!(tail(directory.path(), name, 10).unwrap(), [""; 0], "{name}");
        }
    }

    #[test]
    fn nothing_in_a_file_commands_the_terminal_and_a_huge_one_is_read_from_its_end() {
        let huge = format!("{}\nlast \u{1b}[31mline", "x".repeat(2 * 1024 * 1024));
        let directory = directory(&[("noisy.log", &huge)]);
        assert_eq!(tail(directory.path(), "noisy", 9).unwrap(), ["last line"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(crate::extensions::output::directory(directory.path()), "").unwrap();
        let error = tail(directory.path(), "noisy", 1).unwrap_err().to_string();
        assert!(error.contains("noisy.log"), "{error}");
    }
}

//! The files that extensions' output is kept in: `<directory>/<name>.log`, and the one before it beside it.
//!
//! Lines come from a queue on a thread of its own, each marked with whose it is, so nobody waits for the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::logging::file::{LogFile, Rotation};
use crate::logging::queue::Destination;
use crate::store::durable;

/// A file is put aside when it is full, and the one before it is removed.
const ROTATION: Rotation = Rotation {
    bytes: 256 * 1024,
    kept: 1,
};

/// Between an extension's name and its line.
const MARK: u8 = b'\t';

/// No file's name is longer, with what stands behind it when it is put aside.
const LONGEST_NAME: usize = 200;

/// The file that is written for the extension of this name.
pub(super) fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.log"))
}

/// Whether an extension of this name has a file: names of extensions are names of files, and nothing else may become one.
pub(super) fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_part)
}

/// The line as the queue takes it.
pub(super) fn marked(name: &str, line: &str) -> Vec<u8> {
    [name.as_bytes(), &[MARK], line.as_bytes(), b"\n"].concat()
}

pub(super) struct Files {
    directory: PathBuf,
    /// Of every extension that has written; few.
    files: HashMap<String, LogFile>,
    /// The directory was there when lines last came.
    is_made: bool,
}

impl Files {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            files: HashMap::new(),
            is_made: false,
        }
    }

    fn file(&mut self, name: &str) -> &mut LogFile {
        if !self.is_made {
            // What fails here fails again when the file is opened, and is told then.
            let _ = durable::create_dir_all(&self.directory);
            self.is_made = true;
        }
        self.files.entry(name.to_owned()).or_insert_with(|| {
            let extension = name.to_owned();
            LogFile::rotated(
                path(&self.directory, name),
                ROTATION,
                Box::new(move |trouble| tracing::error!(extension, "{}", trouble.message())),
            )
            .for_people()
        })
    }
}

impl Destination for Files {
    fn begin(&mut self) {
        self.is_made = false;
        for file in self.files.values_mut() {
            file.begin();
        }
    }

    fn write(&mut self, line: &[u8]) {
        let Some(mark) = line.iter().position(|&byte| byte == MARK) else {
            return;
        };
        if let (Some(name), Some(text)) = (line.get(..mark), line.get(mark + 1..))
            && let Ok(name) = std::str::from_utf8(name)
        {
            self.file(name).write(text);
        }
    }

    fn dropped(&mut self, _: u64) {
        // Whoever's they were has counted them.
    }

    fn end(&mut self) {
        for file in self.files.values_mut() {
            file.end();
        }
    }
}

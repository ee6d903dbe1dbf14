//! A log file, on the thread of its queue.
//!
//! Each record is appended by one write, so that a line is whole whoever else appends; the file is made with mode 0600, and
//! made again when it is deleted or moved away. It grows to a limit where one is given, and is then renamed (`rotation`).
//!
//! What cannot be written (a full disk, a directory in the way) is dropped and counted. The trouble is told on the console
//! once, and the count stands in the file as soon as it takes records again; nothing is ever waited for, and nothing ends.

mod rotation;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::Level;

pub use self::rotation::Rotation;
pub(crate) use self::rotation::rotated;
use super::console::Form;
use super::queue::Destination;
use super::record::Record;
use crate::store::durable::{PRIVATE_FILE, StorageError};

/// Trouble that comes and goes is not told more often than this.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(60);

/// Who is told of trouble.
pub(crate) type Complaints = Box<dyn Fn(&Record) + Send>;

pub(crate) struct LogFile {
    path: PathBuf,
    /// How the file's own remarks look.
    form: Form,
    rotation: Option<Rotation>,
    open: Option<Open>,
    /// Records that could not be written since the last one that could.
    lost: u64,
    /// The file ends within a line, which cannot be taken back.
    ends_within_line: bool,
    complaints: Complaints,
    complained: Option<Instant>,
}

struct Open {
    file: File,
    identity: (u64, u64),
    /// What is none, a pipe or a device behind a link, has no size and is never put aside.
    is_regular: bool,
    size: u64,
}

impl Open {
    /// Takes back what stands behind the last whole line: a part of `line`. What others have written there stays.
    fn cut_back(&self, path: &Path, line: &[u8]) -> bool {
        let part = self
            .file
            .metadata()
            .map(|metadata| metadata.len().checked_sub(self.size));
        let Ok(Some(length)) = part.map(|part| part.and_then(|part| usize::try_from(part).ok()))
        else {
            return false;
        };
        let Some(part) = line.get(..length) else {
            return false;
        };
        let mut found = vec![0; length];
        // The file itself is open for appending alone.
        let is_own = File::open(path)
            .and_then(|file| file.read_exact_at(&mut found, self.size))
            .is_ok_and(|()| found == part);
        is_own && self.file.set_len(self.size).is_ok()
    }

    /// Whether it is what stands at `path`.
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| identity(&metadata) == self.identity)
    }
}

impl LogFile {
    /// A file that grows for ever, unless somebody else moves it away.
    ///
    /// # Errors
    /// When it cannot be opened now: the user named it, and can name another.
    pub(super) fn plain(path: &Path, complaints: Complaints) -> Result<Self, StorageError> {
        let error = |source| StorageError::new("write the log file", path, source);
        let mut log = Self::new(std::path::absolute(path).map_err(error)?, None, complaints);
        log.open = Some(log.opened().map_err(error)?);
        Ok(log)
    }

    /// A file that is rotated. Others may write it in the same way: a supervisor, and a gateway alone. Trouble at the start
    /// is as trouble later.
    pub(crate) fn rotated(path: PathBuf, rotation: Rotation, complaints: Complaints) -> Self {
        rotation.prune(&path);
        let mut log = Self::new(path, Some(rotation), complaints);
        if let Err(error) = log.opened() {
            log.complain(error);
        }
        log
    }

    /// The same file, for lines that people read.
    pub(crate) fn for_people(self) -> Self {
        Self {
            form: Form::Console { in_colour: false },
            ..self
        }
    }

    fn new(path: PathBuf, rotation: Option<Rotation>, complaints: Complaints) -> Self {
        Self {
            path,
            form: Form::Records,
            rotation,
            open: None,
            lost: 0,
            ends_within_line: false,
            complaints,
            complained: None,
        }
    }

    /// `count` is what is lost with the line.
    fn append_or_count(&mut self, line: &[u8], count: u64) {
        if let Err(error) = self.append(line) {
            if self.lost == 0 {
                self.complain(error);
            }
            self.lost += count;
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.lost > 0 {
            let mut report = Vec::new();
            let losses = super::losses(self.lost, "the log could not be written");
            self.form.write_line(&losses, &mut report);
            self.append_line(&report)?;
            self.lost = 0;
        }
        self.append_line(line)
    }

    fn append_line(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if self.open.is_none() {
            self.open = Some(self.opened()?);
        }
        if let (Some(rotation), Some(open)) = (&self.rotation, &self.open)
            && open.is_regular
            && open.size > 0
            && open.size + length > rotation.bytes
        {
            // Another process that logs here may have done it.
            if open.is_at(&self.path) {
                rotation.rotate(&self.path)?;
            }
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let opened = self.opened()?;
                self.open.insert(opened)
            }
        };
        if self.ends_within_line {
            open.file.write_all(b"\n")?;
            open.size += 1;
            self.ends_within_line = false;
        }
        if let Err(error) = open.file.write_all(line) {
            // A part may stand there. What the user named may not even be a file.
            let is_cut = self.rotation.is_some() && open.cut_back(&self.path, line);
            self.ends_within_line = !is_cut;
            self.open = None;
            return Err(error);
        }
        open.size += length;
        Ok(())
    }

    fn opened(&mut self) -> io::Result<Open> {
        // Not blocking: a pipe that nobody reads is an error, not a wait.
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(PRIVATE_FILE)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.path)?;
        let metadata = file.metadata()?;
        let is_regular = metadata.is_file();
        if is_regular {
            self.ends_within_line = ends_within_line(&self.path, metadata.len());
        }
        let is_open_to_others = metadata.permissions().mode() & 0o077 != 0;
        if is_regular && is_open_to_others && self.rotation.is_some() {
            // Another user's file, perhaps; it is written to all the same.
            let _ = file.set_permissions(fs::Permissions::from_mode(PRIVATE_FILE));
        }
        Ok(Open {
            file,
            identity: identity(&metadata),
            is_regular,
            size: metadata.len(),
        })
    }

    fn complain(&mut self, source: io::Error) {
        let now = Instant::now();
        if self
            .complained
            .is_some_and(|last| now.duration_since(last) < BETWEEN_COMPLAINTS)
        {
            return;
        }
        self.complained = Some(now);
        let error = StorageError::new("write the log file", &self.path, source);
        (self.complaints)(&Record::now(
            Level::ERROR,
            module_path!(),
            format!("{error}; until it can be written, records are dropped and counted"),
        ));
    }
}

impl Destination for LogFile {
    fn begin(&mut self) {
        self.open = self.open.take().and_then(|open| {
            let metadata = fs::metadata(&self.path).ok()?;
            // Others may have emptied it.
            let size = metadata.len();
            (identity(&metadata) == open.identity).then_some(Open { size, ..open })
        });
    }

    fn write(&mut self, line: &[u8]) {
        self.append_or_count(line, 1);
    }

    fn dropped(&mut self, count: u64) {
        let mut line = Vec::new();
        let losses = super::losses(count, "the disk was too slow");
        self.form.write_line(&losses, &mut line);
        self.append_or_count(&line, count);
    }

    fn end(&mut self) {
        // A directory that belongs to the program can be unmounted, or made read-only, while nothing happens.
        if self.rotation.is_some() {
            self.open = None;
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Whether whoever wrote the file was stopped within a line. What cannot be read is taken for whole.
fn ends_within_line(path: &Path, size: u64) -> bool {
    let Some(last) = size.checked_sub(1) else {
        return false;
    };
    let mut byte = [b'\n'];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut byte, last))
        .is_ok_and(|()| byte != [b'\n'])
}

#[cfg(test)]
mod tests;

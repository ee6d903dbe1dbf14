//! Collections of small JSON documents: one directory, one file `<name>.json` a document.
//!
//! Documents are replaced or removed, never edited in place, so that a listing is valid while the directory has not changed
//! and reads no file twice. Changes by another program show as ours do. What a call acknowledged is on disk.
//!
//! Number and size of the documents are bounded (`usage`), and no link is followed: a name leads to a file of this directory.

mod usage;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;
use rustix::io::Errno;

use self::usage::{Full, Usage};
use super::durable::{self, StorageError};
use super::stamp::Stamp;

const SUFFIX: &str = ".json";
/// The longest name, so that a file's, the suffix included, is none that a file system refuses.
const LONGEST_NAME: usize = 250;
/// What is read of the files of a collection, whoever has put them there.
const READABLE: u64 = 4 * usage::MOST_BYTES;

/// Why a document cannot be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    #[error(
        "a document's name must match ^[A-Za-z0-9_-][A-Za-z0-9._-]*$ and have at most {LONGEST_NAME} characters"
    )]
    InvalidName,
    #[error("a document of that name exists")]
    Exists,
    #[error("no document can be added in {}: {full}", directory.display())]
    Full { directory: PathBuf, full: Full },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One document as it was read.
#[derive(Clone)]
pub struct Document {
    pub name: String,
    pub content: Arc<[u8]>,
    stamp: Stamp,
}

/// All documents at one moment, sorted by file name.
pub struct Listing {
    /// Never given to another listing of this process.
    pub version: u64,
    pub documents: Vec<Document>,
}

struct Cached {
    directory: Stamp,
    listing: Arc<Listing>,
}

/// One directory of documents. Calls block on the file system, except [`Collection::cached`].
pub struct Collection {
    directory: PathBuf,
    cache: Mutex<Option<Cached>>,
    // Two readers that both find the cache stale shall not both read the directory.
    reading: Mutex<()>,
    /// What all documents come to, as far as is known: what others add or remove counts at the next listing.
    usage: Mutex<Usage>,
}

impl Collection {
    /// The collection in `directory`, which need not exist yet.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            cache: Mutex::new(None),
            reading: Mutex::new(()),
            usage: Mutex::default(),
        }
    }

    /// The last listing if it is still true; costs one `stat`.
    pub fn cached(&self) -> Option<Arc<Listing>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.as_ref()?;
        cached
            .directory
            .is_current(&self.directory)
            .then(|| Arc::clone(&cached.listing))
    }

    /// Every document. An absent directory is empty; files that are no readable documents are left out.
    ///
    /// # Errors
    /// When the directory cannot be read, or is none.
    pub fn list(&self) -> Result<Arc<Listing>, StorageError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = self.cached() {
            return Ok(listing);
        }
        let failed = |source| StorageError::new("list", &self.directory, source);
        // Before the directory is read: a change in between then makes the listing stale at once.
        let directory = Stamp::of(&self.directory).map_err(failed)?;
        let previous = {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.as_ref().map(|cached| Arc::clone(&cached.listing))
        };
        let known = previous.iter().flat_map(|listing| &listing.documents);
        let known: HashMap<&str, &Document> =
            known.map(|document| (&*document.name, document)).collect();
        let mut names = match fs::read_dir(&self.directory) {
            Ok(entries) => entries
                .filter_map(|entry| entry.map(|entry| document_file(&entry)).transpose())
                .collect::<io::Result<Vec<_>>>()
                .map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        names.sort_unstable();
        let (mut documents, mut bytes) = (Vec::new(), 0);
        for file_name in &names {
            if let Some(document) = self.read(file_name, &known) {
                bytes += document.content.len() as u64;
                documents.push(document);
            }
            if bytes > READABLE {
                return Err(failed(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("its documents hold more than {READABLE} bytes: remove some"),
                )));
            }
        }
        *self.usage() = Usage::of(documents.len(), bytes);
        let listing = match previous {
            Some(previous) if is_equal(&previous.documents, &documents) => {
                // The stamps may have settled since.
                Arc::new(Listing {
                    version: previous.version,
                    documents,
                })
            }
            _ => Arc::new(Listing {
                version: next_version(),
                documents,
            }),
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        *cache = Some(Cached {
            directory,
            listing: Arc::clone(&listing),
        });
        Ok(listing)
    }

    fn read(&self, file_name: &str, known: &HashMap<&str, &Document>) -> Option<Document> {
        let path = self.directory.join(file_name);
        let name = file_name.strip_suffix(SUFFIX)?;
        let stamp = Stamp::of(&path).ok()?;
        match known.get(name) {
            Some(&document) if document.stamp.is_same(&stamp) => Some(document.clone()),
            _ => {
                let content = read_document(&path).ok()??.into();
                Some(Document {
                    name: name.to_owned(),
                    content,
                    stamp,
                })
            }
        }
    }

    /// One document's content; none when there is none of that name.
    ///
    /// # Errors
    /// An invalid name, or a file that cannot be read.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CollectionError> {
        let path = self.path(name)?;
        read_document(&path).map_err(|source| StorageError::new("read", &path, source).into())
    }

    /// Adds a document, durably.
    ///
    /// # Errors
    /// An invalid name, one that is taken, a collection that is full, or a failed write, after which nothing is there.
    pub fn put_new(&self, name: &str, content: &[u8]) -> Result<(), CollectionError> {
        let path = self.path(name)?;
        // It would be there and in no listing: what another program hides is not ours to list.
        if name.starts_with('.') {
            return Err(CollectionError::InvalidName);
        }
        durable::create_dir_all(&self.directory)?;
        let length = content.len() as u64;
        if self.usage().reserve(length).is_err() {
            // Others may have made room.
            self.list()?;
            self.usage()
                .reserve(length)
                .map_err(|full| CollectionError::Full {
                    directory: self.directory.clone(),
                    full,
                })?;
        }
        let created = durable::create_new(&path, content, durable::PRIVATE_FILE);
        if !matches!(created, Ok(true)) {
            self.usage().release(length);
        }
        match created? {
            true => Ok(()),
            false => Err(CollectionError::Exists),
        }
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a document, durably. False when there is none of that name.
    ///
    /// # Errors
    /// An invalid name, or a directory that cannot be written.
    pub fn delete(&self, name: &str) -> Result<bool, CollectionError> {
        let path = self.path(name)?;
        let length = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        let removed = durable::remove(&path)?;
        if removed {
            self.usage().release(length);
        }
        Ok(removed)
    }

    fn path(&self, name: &str) -> Result<PathBuf, CollectionError> {
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_possible = (1..=LONGEST_NAME).contains(&name.len());
        if !is_possible || name == "." || name == ".." || !name.bytes().all(is_allowed) {
            return Err(CollectionError::InvalidName);
        }
        Ok(self.directory.join(format!("{name}{SUFFIX}")))
    }

    /// Where the documents are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The content of a regular file; none when there is none of that name, or something else. Follows no link.
fn read_document(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Opening a pipe would wait for its writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let opened = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if is_link_or_socket(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let too_large = || {
        let text = format!("it is larger than {READABLE} bytes");
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    };
    if metadata.len() > READABLE {
        return Err(too_large());
    }
    let mut content = Vec::new();
    file.take(READABLE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > READABLE {
        return Err(too_large());
    }
    Ok(Some(content))
}

fn is_link_or_socket(error: &io::Error) -> bool {
    let number = Errno::from_io_error(error);
    number.is_some_and(|number| [Errno::LOOP, Errno::NXIO].contains(&number))
}

/// The entry's name if it is a document: a regular file, not hidden (temporary files are), with the suffix.
fn document_file(entry: &fs::DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok()?;
    let is_document = name.ends_with(SUFFIX) && !name.starts_with('.');
    (is_document && entry.file_type().is_ok_and(|kind| kind.is_file())).then_some(name)
}

fn is_equal(left: &[Document], right: &[Document]) -> bool {
    let same = |(a, b): (&Document, &Document)| a.name == b.name && a.content == b.content;
    left.len() == right.len() && left.iter().zip(right).all(same)
}

fn next_version() -> u64 {
    static VERSIONS: AtomicU64 = AtomicU64::new(1);
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests;

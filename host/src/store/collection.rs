//! Collections of small JSON documents: one directory, one file `<name>.json` a document.
//!
//! Documents are replaced or removed, never edited in place, so that a listing is valid while the directory has not changed
//! and reads no file twice. Changes by another program show as ours do. What a call acknowledged is on disk.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::durable::{self, StorageError};
use super::stamp::Stamp;

const SUFFIX: &str = ".json";
/// What all documents of a collection may hold together. A listing is handed over whole, so whoever may add documents
/// could otherwise make it too large for those who read it.
const CAPACITY: u64 = 16 * 1024 * 1024;
/// The size of a collection that has not been listed yet.
const UNKNOWN: u64 = u64::MAX;

/// Why a document cannot be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    #[error("a document's name must match ^[A-Za-z0-9._-]+$ and be neither '.' nor '..'")]
    InvalidName,
    #[error("a document of that name exists")]
    Exists,
    #[error(
        "the documents in {} hold {} MiB together, which is all that they may: remove some first",
        .0.display(),
        CAPACITY / (1024 * 1024)
    )]
    Full(PathBuf),
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
    /// Bytes in all documents, as far as is known: what others add or remove counts at the next listing.
    size: AtomicU64,
}

impl Collection {
    /// The collection in `directory`, which need not exist yet.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            cache: Mutex::new(None),
            reading: Mutex::new(()),
            size: AtomicU64::new(UNKNOWN),
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
        let documents: Vec<_> = names
            .iter()
            .filter_map(|file_name| self.read(file_name, &known))
            .collect();
        let size = documents
            .iter()
            .map(|document| document.content.len() as u64)
            .sum();
        self.size.store(size, Ordering::Relaxed);
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
                let content = fs::read(&path).ok()?.into();
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
        match fs::symlink_metadata(&path) {
            // Opening a pipe would wait for its writer.
            Ok(metadata) if !metadata.is_file() => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StorageError::new("read", &path, source).into()),
        }
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StorageError::new("read", &path, source).into()),
        }
    }

    /// Adds a document, durably.
    ///
    /// # Errors
    /// An invalid name, one that is taken, a collection that is full, or a failed write, after which nothing is there.
    pub fn put_new(&self, name: &str, content: &[u8]) -> Result<(), CollectionError> {
        let path = self.path(name)?;
        durable::create_dir_all(&self.directory)?;
        let length = content.len() as u64;
        if !self.reserve(length) {
            // Others may have made room.
            self.list()?;
            if !self.reserve(length) {
                return Err(CollectionError::Full(self.directory.clone()));
            }
        }
        match durable::create_new(&path, content, durable::PRIVATE_FILE) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.release(length);
                Err(CollectionError::Exists)
            }
            Err(error) => {
                self.release(length);
                Err(error.into())
            }
        }
    }

    /// Takes room for a document before it is written, so that many writers at once do not overfill the collection.
    fn reserve(&self, length: u64) -> bool {
        let with_it = |size: u64| {
            let size = size.checked_add(length)?;
            (size <= CAPACITY).then_some(size)
        };
        self.size
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it)
            .is_ok()
    }

    fn release(&self, length: u64) {
        let without_it = |size: u64| (size != UNKNOWN).then(|| size.saturating_sub(length));
        // An unknown size stays unknown.
        let _ = self
            .size
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, without_it);
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
            self.release(length);
        }
        Ok(removed)
    }

    fn path(&self, name: &str) -> Result<PathBuf, CollectionError> {
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name == "." || name == ".." || !name.bytes().all(is_allowed) {
            return Err(CollectionError::InvalidName);
        }
        Ok(self.directory.join(format!("{name}{SUFFIX}")))
    }

    /// Where the documents are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
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
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(collection: &Collection) -> Vec<String> {
        collection
            .list()
            .unwrap()
            .documents
            .iter()
            .map(|document| document.name.clone())
            .collect()
    }

    #[test]
    fn documents_are_listed_by_file_name_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        let collection = Collection::new(root.path().join("a/b"));
        assert_eq!(names(&collection), [""; 0], "an absent directory is empty");
        for name in ["b", "a", "a-1"] {
            collection.put_new(name, b"{}").unwrap();
        }
        let directory = collection.directory();
        fs::write(directory.join("foreign.txt"), "x").unwrap();
        fs::write(directory.join(".hidden.json"), "x").unwrap();
        fs::create_dir(directory.join("directory.json")).unwrap();
        symlink(directory.join("a.json"), directory.join("link.json")).unwrap();
        assert_eq!(names(&collection), ["a-1", "a", "b"]);
    }

    #[test]
    fn changes_of_this_and_other_programs_show_at_once() {
        let root = tempfile::tempdir().unwrap();
        let collection = Collection::new(root.path().to_owned());
        for round in 0..50 {
            collection
                .put_new("ours", round.to_string().as_bytes())
                .unwrap();
            assert_eq!(names(&collection), ["ours"]);
            fs::write(root.path().join("theirs.json"), "1").unwrap();
            assert_eq!(names(&collection), ["ours", "theirs"]);
            let content = collection
                .list()
                .unwrap()
                .documents
                .first()
                .unwrap()
                .content
                .to_vec();
            assert_eq!(content, round.to_string().as_bytes());
            assert!(collection.delete("ours").unwrap());
            fs::remove_file(root.path().join("theirs.json")).unwrap();
            assert_eq!(names(&collection), [""; 0]);
        }
    }

    #[test]
    fn a_name_is_taken_once() {
        let root = tempfile::tempdir().unwrap();
        let collection = Collection::new(root.path().to_owned());
        collection.put_new("x", b"first").unwrap();
        assert!(matches!(
            collection.put_new("x", b"second"),
            Err(CollectionError::Exists)
        ));
        assert_eq!(collection.get("x").unwrap().unwrap(), b"first");
        let mode = fs::metadata(root.path().join("x.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!collection.delete("y").unwrap());
        assert_eq!(collection.get("y").unwrap(), None);
    }

    #[test]
    fn a_full_collection_takes_no_more_until_something_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let collection = Collection::new(root.path().to_owned());
        let half = vec![b' '; usize::try_from(CAPACITY / 2).unwrap()];
        collection.put_new("a", &half).unwrap();
        collection.put_new("b", &half).unwrap();
        let error = collection.put_new("c", b"{}").unwrap_err();
        assert!(matches!(error, CollectionError::Full(_)), "{error}");
        assert!(collection.delete("a").unwrap());
        collection.put_new("c", &half).unwrap();
        fs::remove_file(root.path().join("b.json")).unwrap();
        collection
            .put_new("d", &half)
            .expect("another program has made room");
    }

    #[test]
    fn a_name_never_leaves_the_directory() {
        let collection = Collection::new(PathBuf::from("/nowhere"));
        for name in ["", ".", "..", "a/b", "../a", "a\0", "é", "a b"] {
            assert!(
                matches!(collection.get(name), Err(CollectionError::InvalidName)),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_file_in_the_directory_s_place_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("v2");
        fs::write(&path, "").unwrap();
        let error = Collection::new(path.clone())
            .list()
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(&*path.to_string_lossy()), "{error}");
    }
}

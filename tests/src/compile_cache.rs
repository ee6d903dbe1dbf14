//! What the gateway has compiled once, handed to every later one: a start without it takes a second, with it milliseconds.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::binary;

const TEMPLATES: &str = "end-to-end-compile-cache";

/// One for each build of the program; one of another build would be of no use.
fn template() -> PathBuf {
    let program = fs::metadata(binary::path()).expect("the program has just been found");
    let name = format!(
        "{}-{}-{}",
        program.mtime(),
        program.mtime_nsec(),
        program.len()
    );
    binary::profile_directory().join(TEMPLATES).join(name)
}

/// Copies the template, if there is one by now, to `cache`.
pub(crate) fn seed(cache: &Path) {
    let template = template();
    if template.is_dir() && !cache.exists() {
        copy(&template, cache).expect("the compiled code can be copied");
    }
}

/// Makes `cache` the template, or adds what it has more. Older builds' templates go.
pub(crate) fn publish(cache: &Path) {
    let template = template();
    if !cache.is_dir() {
        return;
    }
    if template.is_dir() {
        // A file of the cache just gone, or a template just replaced, only means that a later test adds it.
        let _ = add(cache, &template, &template.with_extension(unique("new")));
        return;
    }
    let templates = template.parent().expect("a template lies in a directory");
    for old in fs::read_dir(templates).into_iter().flatten().flatten() {
        // A name with a dot is being written by another test.
        if !old.file_name().to_string_lossy().contains('.') {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    let unfinished = template.with_extension(unique("first"));
    // Losing the race, or finding a file of the cache just gone, only means that a later test publishes.
    if copy(cache, &unfinished).is_err() || fs::rename(&unfinished, &template).is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
}

/// A name of this process's own, which no template has.
fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("{process}-{count}-{what}")
}

/// Adds the files that `to` does not have, each of them complete from the beginning.
fn add(from: &Path, to: &Path, unfinished: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
    // The code before the index, which says that it is there.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !to.is_dir() {
                fs::create_dir(&to)?;
            }
            add(&entry.path(), &to, unfinished)?;
        } else if !to.exists() {
            link_or_copy(&entry.path(), unfinished)?;
            fs::rename(unfinished, &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            link_or_copy(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// The files of the cache are replaced, never edited, and there are many megabytes of them.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to).map(|_| ())
        }
        linked => linked,
    }
}

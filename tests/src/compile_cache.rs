//! What the gateway has compiled once, handed to every later one: a start without it takes a second, with it milliseconds.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// Makes `cache` the template, if there is none yet. Whoever comes first wins; older builds' templates go.
pub(crate) fn publish(cache: &Path) {
    let template = template();
    if template.is_dir() || !cache.is_dir() {
        return;
    }
    let templates = template.parent().expect("a template lies in a directory");
    for old in fs::read_dir(templates).into_iter().flatten().flatten() {
        // A name with a dot is being written by another test.
        if !old.file_name().to_string_lossy().contains('.') {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    let unfinished = template.with_extension(std::process::id().to_string());
    // Losing the race, or finding a file of the cache just gone, only means that a later test publishes.
    if copy(cache, &unfinished).is_err() || fs::rename(&unfinished, &template).is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

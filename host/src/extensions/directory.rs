//! What stands in the extensions directory: `<name>.wasm`, its policy `<name>.toml`, and `<name>.disabled`, which switches it
//! off.
//!
//! Contents are compared by digest, so that a copy of the same bytes is no change; what has not been touched is not read again.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::component::LARGEST;
use super::{LoadError, bundled};
use crate::store::stamp::Stamp;

const COMPONENT: &str = "wasm";
const POLICY: &str = "toml";
const MARKER: &str = "disabled";

/// The state of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Missing,
    Digest([u8; 32]),
    /// It cannot be read, or is no file; whoever loads it says so in full.
    Unreadable(io::ErrorKind),
}

/// What stands there under one name. Equal when nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The component's file.
    pub(super) component: PathBuf,
    pub(super) is_disabled: bool,
    bytes: Content,
    policy: Content,
}

impl Source {
    /// Of the component, as lower-case hex; none when it cannot be read.
    pub(super) fn sha256(&self) -> Option<String> {
        match &self.bytes {
            Content::Digest(digest) => {
                Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            Content::Missing | Content::Unreadable(_) => None,
        }
    }

    /// Whether it came with the gateway, when it stands there as `name`.
    pub(super) fn is_bundled(&self, name: &str) -> bool {
        self.sha256()
            .is_some_and(|sha256| bundled::is_bundled(name, &sha256))
    }
}

/// The directory, and what was read of it last.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
    read: HashMap<PathBuf, (Stamp, Content)>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: HashMap::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that stands there now, by name. Blocking.
    pub(super) fn scan(&mut self) -> Result<BTreeMap<String, Source>, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: self.path.clone(),
            source,
        };
        let mut components = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if has_extension(&path, COMPONENT) && !is_hidden(&path) {
                components.push(path);
            }
        }
        let mut read = HashMap::new();
        let mut content = |path: PathBuf, known: &mut HashMap<_, _>| {
            let entry = current(&path, known.remove(&path));
            let content = entry.1.clone();
            read.insert(path, entry);
            content
        };
        let sources = components
            .into_iter()
            .map(|component| {
                let name = component.file_stem().unwrap_or_default().to_string_lossy();
                let source = Source {
                    is_disabled: marker_of(&component).symlink_metadata().is_ok(),
                    bytes: content(component.clone(), &mut self.read),
                    policy: content(component.with_extension(POLICY), &mut self.read),
                    component: component.clone(),
                };
                (name.into_owned(), source)
            })
            .collect();
        self.read = read;
        Ok(sources)
    }
}

/// Where a component's policy stands.
pub(super) fn policy_of(component: &Path) -> PathBuf {
    component.with_extension(POLICY)
}

/// The file whose presence switches a component off.
pub(super) fn marker_of(component: &Path) -> PathBuf {
    component.with_extension(MARKER)
}

/// Whether a change of the file can be a change of what is served: temporary files, sockets and logs are none.
pub(super) fn is_of_interest(path: &Path) -> bool {
    !is_hidden(path)
        && [COMPONENT, POLICY, MARKER]
            .iter()
            .any(|extension| has_extension(path, extension))
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension()
        .is_some_and(|extension| extension == wanted)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The content at `path`, from `known` where that is still true.
fn current(path: &Path, known: Option<(Stamp, Content)>) -> (Stamp, Content) {
    if let Some(known) = known
        && known.0.is_current(path)
    {
        return known;
    }
    // Stamped before it is read: a change meanwhile makes the stamp outdated.
    match Stamp::of(path) {
        Ok(stamp) if stamp.is_missing() => (stamp, Content::Missing),
        Ok(stamp) if !stamp.is_file() => (
            Stamp::never(),
            Content::Unreadable(io::ErrorKind::InvalidInput),
        ),
        Ok(stamp) => match digest(path) {
            Ok(digest) => (stamp, Content::Digest(digest)),
            Err(error) => (Stamp::never(), Content::Unreadable(error.kind())),
        },
        Err(error) => (Stamp::never(), Content::Unreadable(error.kind())),
    }
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    // A file may have gigabytes without taking room on the disk; nothing so large is ever loaded.
    if file.metadata()?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digest.finalize().into()),
            Ok(length) => digest.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scan(directory: &mut Directory) -> Vec<(String, Source)> {
        directory.scan().unwrap().into_iter().collect()
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("large.wasm");
        File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        let (_, content) = current(&path, None);
        assert_eq!(content, Content::Unreadable(io::ErrorKind::FileTooLarge));
    }

    #[test]
    fn components_are_found_by_name_with_their_policies_and_markers() {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("b.wasm", "b"),
            ("a.wasm", "a"),
            ("a.toml", "routes = []"),
            ("b.disabled", ""),
            ("stray.toml", ""),
            (".hidden.wasm", "h"),
            (".a.wasm.1.2.tmp", "half"),
            ("services.json", "{}"),
        ] {
            fs::write(root.path().join(name), content).unwrap();
        }
        let mut directory = Directory::new(root.path().to_owned());
        let found = scan(&mut directory);
        let names: Vec<_> = found
            .iter()
            .map(|(name, source)| (name.as_str(), source.is_disabled))
            .collect();
        assert_eq!(names, [("a", false), ("b", true)]);
        assert_eq!(scan(&mut directory), found, "nothing has changed");
    }

    #[test]
    fn a_change_of_the_component_the_policy_or_the_marker_shows_and_a_copy_of_the_same_does_not() {
        let root = tempfile::tempdir().unwrap();
        let component = root.path().join("a.wasm");
        fs::write(&component, "1").unwrap();
        let mut directory = Directory::new(root.path().to_owned());
        let first = scan(&mut directory);
        fs::write(&component, "1").unwrap();
        assert_eq!(scan(&mut directory), first, "the same bytes again");
        let mut seen = vec![first];
        fs::write(&component, "2").unwrap();
        seen.push(scan(&mut directory));
        fs::write(policy_of(&component), "routes = []").unwrap();
        seen.push(scan(&mut directory));
        fs::write(policy_of(&component), "routes = [ ]").unwrap();
        seen.push(scan(&mut directory));
        fs::write(marker_of(&component), "").unwrap();
        seen.push(scan(&mut directory));
        fs::remove_file(&component).unwrap();
        seen.push(scan(&mut directory));
        for (earlier, later) in seen.iter().zip(seen.iter().skip(1)) {
            assert_ne!(earlier, later);
        }
    }

    #[test]
    fn what_is_no_file_is_found_and_left_to_whoever_loads_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a.wasm")).unwrap();
        let found = scan(&mut Directory::new(root.path().to_owned()));
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn only_what_can_change_what_is_served_is_of_interest() {
        for (name, expected) in [
            ("a.wasm", true),
            ("a.toml", true),
            ("a.disabled", true),
            (".a.wasm.12.ab.tmp", false),
            (".a.wasm", false),
            ("services.json", false),
            ("control-7.sock", false),
            ("logs", false),
        ] {
            assert_eq!(is_of_interest(Path::new(name)), expected, "{name}");
        }
    }
}

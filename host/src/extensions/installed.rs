//! The extensions directory as it stands on disk, for commands that change it while no gateway may be running.
//!
//! An extension is `<name>.wasm` with its policy `<name>.toml`; a marker `<name>.disabled` switches it off. Every change here is durable, and whatever a crash
//! leaves of one serves nothing that was not served before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use super::bundled;
use super::report::Origin;
use crate::store::durable::{self, PRIVATE_FILE, StorageError};

const COMPONENT: &str = "wasm";
const POLICY: &str = "toml";
const MARKER: &str = "disabled";

/// What stands in the directory under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    pub name: String,
    pub origin: Origin,
    /// Where its component stands, if it does.
    pub component: PathBuf,
    /// Whether it does. Those of bundled extensions are put there by the gateway.
    pub has_component: bool,
    pub has_policy: bool,
    pub is_disabled: bool,
}

/// Everything that stands in the directory, by name, and every bundled extension.
///
/// # Errors
/// When it cannot be read. One that is not there holds nothing.
pub fn installed(directory: &Path) -> Result<Vec<Installed>, StorageError> {
    let mut found: BTreeMap<String, Installed> = bundled::all_names()
        .map(|name| {
            let component = directory.join(name).with_extension(COMPONENT);
            (
                name.to_owned(),
                Installed::at(component, name.to_owned(), Origin::Bundled),
            )
        })
        .collect();
    let error = |source| StorageError::new("list", directory, source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(found.into_values().collect());
        }
        Err(source) => return Err(error(source)),
    };
    for entry in entries {
        let path = entry.map_err(error)?.path();
        let (Some(stem), Some(kind)) = (path.file_stem(), path.extension()) else {
            continue;
        };
        let is_hidden = stem.as_encoded_bytes().starts_with(b".");
        if is_hidden || ![COMPONENT, POLICY, MARKER].iter().any(|own| kind == *own) {
            continue;
        }
        let one = found
            .entry(stem.to_string_lossy().into_owned())
            .or_insert_with_key(|name| {
                let component = path.with_extension(COMPONENT);
                Installed::at(component, name.clone(), Origin::Installed)
            });
        one.has_component |= kind == COMPONENT;
        one.has_policy |= kind == POLICY;
        one.is_disabled |= kind == MARKER;
    }
    Ok(found.into_values().collect())
}

impl Installed {
    fn at(component: PathBuf, name: String, origin: Origin) -> Self {
        Self {
            name,
            origin,
            component,
            has_component: false,
            has_policy: false,
            is_disabled: false,
        }
    }

    /// Switches it off. False when it was off already.
    pub fn disable(&self) -> Result<bool, StorageError> {
        if let Some(directory) = self.component.parent() {
            durable::create_dir_all(directory)?;
        }
        durable::create_new(&self.component.with_extension(MARKER), b"", PRIVATE_FILE)
    }

    /// Switches it on. False when it was on already.
    pub fn enable(&self) -> Result<bool, StorageError> {
        durable::remove(&self.component.with_extension(MARKER))
    }

    /// Removes it, with its policy unless that is kept, and returns the files that were there.
    ///
    /// The component goes first: what is left without it serves nothing. The marker goes last, so that at no moment there is a
    /// component that it switched off and does not any more.
    pub fn remove(&self, keeps_policy: bool) -> Result<Vec<PathBuf>, StorageError> {
        let mut files = vec![self.component.clone()];
        if !keeps_policy {
            files.push(self.component.with_extension(POLICY));
        }
        files.push(self.component.with_extension(MARKER));
        let mut removed = Vec::new();
        for file in files {
            if durable::remove(&file)? {
                removed.push(file);
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(directory: &Path, name: &str) -> Installed {
        let all = installed(directory).unwrap();
        let found = all.iter().find(|one| one.name == name);
        found.unwrap_or_else(|| panic!("{all:?}")).clone()
    }

    #[test]
    fn whatever_has_a_file_is_listed_and_so_is_what_comes_with_the_gateway() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "notes.wasm",
            "notes.toml",
            "stray.toml",
            "permissions.disabled",
            ".hidden.wasm",
            "services.json",
            "control-7.sock",
        ] {
            fs::write(root.path().join(file), b"").unwrap();
        }
        let all = installed(root.path()).unwrap();
        let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
        let expected = [
            "minds-api-proxy",
            "notes",
            "permission-requests",
            "permissions",
            "stray",
        ];
        assert_eq!(names, expected);
        let notes = find(root.path(), "notes");
        assert!(notes.has_component && notes.has_policy && !notes.is_disabled);
        let permissions = find(root.path(), "permissions");
        assert!(permissions.is_disabled && !permissions.has_component);
        assert_eq!(permissions.origin, Origin::Bundled);
    }

    #[test]
    fn a_directory_that_is_not_there_holds_what_comes_with_the_gateway() {
        let all = installed(Path::new("/nowhere/extensions")).unwrap();
        assert!(!all.is_empty() && all.iter().all(|one| !one.has_component));
    }

    #[test]
    fn switching_off_and_on_says_whether_it_changed_anything() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("extensions");
        let proxy = find(&directory, "minds-api-proxy");
        assert!(proxy.disable().unwrap() && !proxy.disable().unwrap());
        assert!(find(&directory, "minds-api-proxy").is_disabled);
        assert!(proxy.enable().unwrap() && !proxy.enable().unwrap());
        assert!(!find(&directory, "minds-api-proxy").is_disabled);
    }

    #[test]
    fn removing_takes_everything_but_a_policy_that_is_kept() {
        let root = tempfile::tempdir().unwrap();
        for (keeps_policy, expected) in [
            (true, &["notes.wasm", "notes.disabled"][..]),
            (false, &["notes.wasm", "notes.toml", "notes.disabled"]),
        ] {
            for file in ["notes.wasm", "notes.toml", "notes.disabled"] {
                fs::write(root.path().join(file), b"").unwrap();
            }
            let notes = find(root.path(), "notes");
            let removed = notes.remove(keeps_policy).unwrap();
            let expected: Vec<_> = expected.iter().map(|file| root.path().join(file)).collect();
            assert_eq!(removed, expected);
            assert_eq!(root.path().join("notes.toml").exists(), keeps_policy);
            assert_eq!(notes.remove(true).unwrap(), [] as [PathBuf; 0]);
        }
    }
}

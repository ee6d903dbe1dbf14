//! The identity of everything that a component is compiled from, computed without compiling.
//!
//! It covers the files of the extension and of every crate that it depends on by path, the WIT package in
//! `wit/`, the exact versions and checksums of the registry crates below it, the pinned Rust release and the build settings. It does
//! not cover the rest of Cargo.lock, so that the host's dependencies move without making a component stale; and it is the same on
//! every platform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::compile::SETTINGS;
use crate::digest::{self, Digest};
use crate::error::Error;
use crate::workspace::{Member, Workspace};

/// What one component is compiled from.
pub struct Sources {
    pub digest: Digest,
    /// Absolute paths of the covered files.
    pub files: BTreeSet<PathBuf>,
    /// The packages of the checkout among its crates, itself included.
    pub members: BTreeSet<String>,
}

/// Cargo.lock, of which only the packages below one component count.
#[derive(Deserialize)]
pub struct Lock {
    #[serde(rename = "package")]
    packages: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Reads the lock file of the checkout.
    pub fn read(workspace: &Workspace) -> Result<Self, Error> {
        digest::read_toml(&workspace.root.join("Cargo.lock"))
    }

    /// The package that a dependency line of the lock file names: `name`, with version and source only where it takes them to tell.
    fn resolve(&self, line: &str) -> Option<&LockedPackage> {
        let mut parts = line.splitn(3, ' ');
        let (name, version) = (parts.next()?, parts.next());
        let source = parts.next().map(|source| source.trim_matches(['(', ')']));
        self.packages.iter().find(|package| {
            package.name == name
                && version.is_none_or(|version| package.version == version)
                && source.is_none_or(|source| package.source.as_deref() == Some(source))
        })
    }

    /// The component's package and everything below it, without what only its tests use.
    fn closure(
        &self,
        component: &str,
        members: &BTreeMap<String, Member>,
    ) -> Result<Vec<&LockedPackage>, Error> {
        let mut found: Vec<&LockedPackage> = Vec::new();
        let mut waiting = vec![component];
        while let Some(line) = waiting.pop() {
            let package = self
                .resolve(line)
                .ok_or_else(|| Error::NotLocked(line.to_owned()))?;
            if found.iter().any(|known| std::ptr::eq(*known, package)) {
                continue;
            }
            found.push(package);
            let own = members
                .get(&package.name)
                .filter(|_| package.source.is_none());
            waiting.extend(
                package
                    .dependencies
                    .iter()
                    .map(String::as_str)
                    .filter(|line| {
                        let name = line.split(' ').next().unwrap_or(line);
                        own.is_none_or(|member| member.compiles(name))
                    }),
            );
        }
        Ok(found)
    }
}

impl LockedPackage {
    fn line(&self) -> String {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        format!(
            "crate {} {} {} {}",
            self.name,
            self.version,
            or_none(&self.source),
            or_none(&self.checksum)
        )
    }
}

impl Member {
    fn compiles(&self, dependency: &str) -> bool {
        self.dependencies
            .iter()
            .any(|known| known.name == dependency && !known.is_development_only())
    }

    /// What the package inherits from the workspace: a manifest that says `workspace = true` does not change when it does.
    fn lines(&self, name: &str) -> Vec<String> {
        let mut lines = vec![format!("edition {name} {}", self.edition)];
        lines.extend(self.dependencies.iter().filter(|dependency| !dependency.is_development_only()).map(|known| {
            format!(
                "dependency {name} {} {} kind={} target={} optional={} default={} features={}",
                known.name,
                known.req,
                known.kind.as_deref().unwrap_or("normal"),
                known.target.as_deref().unwrap_or("all"),
                known.optional,
                known.uses_default_features,
                known.features.join(","),
            )
        }));
        lines
    }
}

impl Sources {
    /// Reads and hashes everything that the component is compiled from.
    pub fn collect(
        component: &str,
        workspace: &Workspace,
        lock: &Lock,
        pinned: &str,
    ) -> Result<Self, Error> {
        let mut lines = vec![format!("rust {pinned}")];
        lines.extend(
            SETTINGS
                .iter()
                .map(|(name, value)| format!("setting {name}={value}")),
        );

        let mut files: BTreeSet<_> = interface(&workspace.root)?.into_iter().collect();
        let mut members = BTreeSet::new();
        for package in lock.closure(component, &workspace.members)? {
            lines.push(package.line());
            if package.source.is_some() {
                continue;
            }
            let member = workspace
                .members
                .get(&package.name)
                .ok_or_else(|| Error::NotLocked(package.name.clone()))?;
            lines.extend(member.lines(&package.name));
            files.extend(digest::files_below(&member.directory)?);
            members.insert(package.name.clone());
        }
        for file in &files {
            let name = workspace
                .relative(file)
                .unwrap_or_else(|| file.to_string_lossy().into_owned());
            lines.push(format!("file {name} {}", digest::of_file(file)?));
        }
        Ok(Self {
            digest: digest::of_lines(lines),
            files,
            members,
        })
    }
}

/// The WIT package in `wit/` itself and what it refers to in `wit/deps/`. Later versions stand in directories of their own.
fn interface(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let wit = root.join("wit");
    let mut files = digest::files_below(&wit)?;
    files.retain(|file| {
        file.extension().is_some_and(|extension| extension == "wit")
            && (file.parent() == Some(&wit) || file.starts_with(wit.join("deps")))
    });
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Dependency;

    const LOCK: &str = r#"
        package = [
            { name = "gate", version = "0.1.0", dependencies = ["json 1.0.0", "sdk", "probe"] },
            { name = "sdk", version = "0.1.0", dependencies = ["json 1.0.0"] },
            { name = "host", version = "0.1.0", dependencies = ["engine", "json 2.0.0"] },
            { name = "json", version = "1.0.0", source = "registry", checksum = "aa" },
            { name = "json", version = "2.0.0", source = "registry", checksum = "bb" },
            { name = "engine", version = "48.0.0", source = "registry", checksum = "cc" },
            { name = "probe", version = "1.0.0", source = "registry", checksum = "dd" },
        ]"#;

    fn dependency(name: &str, kind: Option<&str>) -> Dependency {
        Dependency {
            name: name.into(),
            req: "^1".into(),
            kind: kind.map(str::to_owned),
            target: None,
            optional: false,
            uses_default_features: true,
            features: Vec::new(),
        }
    }

    fn checkout(root: &Path) -> Workspace {
        let mut members = BTreeMap::new();
        for (name, dependencies) in [
            (
                "gate",
                vec![
                    dependency("json", None),
                    dependency("sdk", None),
                    dependency("probe", Some("dev")),
                ],
            ),
            ("sdk", vec![dependency("json", None)]),
        ] {
            let directory = root.join("extensions").join(name);
            fs::create_dir_all(directory.join("src")).unwrap();
            fs::write(directory.join("src/lib.rs"), name).unwrap();
            members.insert(
                name.to_owned(),
                Member {
                    directory,
                    edition: "2024".into(),
                    dependencies,
                },
            );
        }
        fs::create_dir_all(root.join("wit")).unwrap();
        fs::write(root.join("wit/world.wit"), "world").unwrap();
        Workspace {
            root: root.into(),
            component_target: root.join("target"),
            members,
            dependency_directories: BTreeSet::new(),
        }
    }

    fn digest_of(workspace: &Workspace, lock: &str) -> Digest {
        let lock: Lock = toml::from_str(lock).unwrap();
        Sources::collect("gate", workspace, &lock, "1.95.0")
            .unwrap()
            .digest
    }

    #[test]
    fn only_crates_below_the_component_count() {
        let root = tempfile::tempdir().unwrap();
        let workspace = checkout(root.path());
        let before = digest_of(&workspace, LOCK);
        assert_eq!(
            digest_of(
                &workspace,
                &LOCK.replace("48.0.0", "49.0.0").replace("bb", "ee")
            ),
            before
        );
        assert_eq!(
            digest_of(&workspace, &LOCK.replace("dd", "ee")),
            before,
            "a test's dependency is not compiled in"
        );
        assert_ne!(digest_of(&workspace, &LOCK.replace("aa", "ee")), before);
    }

    #[test]
    fn every_file_of_extension_sdk_and_wit_counts() {
        let root = tempfile::tempdir().unwrap();
        let workspace = checkout(root.path());
        let mut seen = vec![digest_of(&workspace, LOCK).to_string()];
        for file in [
            "extensions/gate/src/lib.rs",
            "extensions/sdk/src/lib.rs",
            "extensions/gate/new.json",
            "wit/world.wit",
        ] {
            fs::write(root.path().join(file), "changed").unwrap();
            seen.push(digest_of(&workspace, LOCK).to_string());
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn other_versions_of_the_interface_and_what_is_written_about_it_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let workspace = checkout(root.path());
        let before = digest_of(&workspace, LOCK);
        fs::create_dir_all(root.path().join("wit/v9/deps")).unwrap();
        for file in ["wit/README.md", "wit/v9/world.wit", "wit/v9/deps/http.wit"] {
            fs::write(root.path().join(file), "new").unwrap();
        }
        assert_eq!(digest_of(&workspace, LOCK), before);
        fs::create_dir_all(root.path().join("wit/deps")).unwrap();
        fs::write(root.path().join("wit/deps/http.wit"), "new").unwrap();
        assert_ne!(digest_of(&workspace, LOCK), before);
    }

    #[test]
    fn digest_does_not_depend_on_where_the_checkout_is() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(
            digest_of(&checkout(one.path()), LOCK),
            digest_of(&checkout(other.path()), LOCK)
        );
    }

    #[test]
    fn inherited_features_count() {
        let root = tempfile::tempdir().unwrap();
        let mut workspace = checkout(root.path());
        let before = digest_of(&workspace, LOCK);
        workspace.members.get_mut("sdk").unwrap().dependencies[0]
            .features
            .push("extra".into());
        assert_ne!(digest_of(&workspace, LOCK), before);
    }

    #[test]
    fn component_that_is_not_in_the_lock_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        let lock: Lock = toml::from_str(LOCK).unwrap();
        let error = Sources::collect("absent", &checkout(root.path()), &lock, "1.95.0")
            .err()
            .unwrap();
        assert!(error.to_string().contains("`absent`"), "{error}");
    }
}

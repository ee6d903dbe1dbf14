//! What cargo knows about this checkout: its root, its target directory, its own packages, and where dependencies were unpacked.
//!
//! Reads nothing by itself; everything comes from one `cargo metadata` call, which may download what Cargo.lock names.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::toolchain::{self, TARGET};

/// The checkout that this program was started in.
pub struct Workspace {
    pub root: PathBuf,
    /// A directory of our own: native builds and components share no artefact.
    pub component_target: PathBuf,
    /// The packages that live in the checkout, by name.
    pub members: BTreeMap<String, Member>,
    /// Directories that hold unpacked dependencies; they differ between machines.
    pub dependency_directories: BTreeSet<PathBuf>,
}

/// One package of the checkout.
pub struct Member {
    pub directory: PathBuf,
    pub edition: String,
    pub dependencies: Vec<Dependency>,
}

/// A dependency as cargo sees it after inheritance from the workspace, which the package's own manifest does not show.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    pub req: String,
    pub kind: Option<String>,
    pub target: Option<String>,
    pub optional: bool,
    pub uses_default_features: bool,
    pub features: Vec<String>,
}

impl Dependency {
    /// Whether it takes part only in tests and benchmarks, and so never in a component.
    pub fn is_development_only(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    source: Option<String>,
    manifest_path: PathBuf,
    edition: String,
    dependencies: Vec<Dependency>,
}

impl Workspace {
    /// Asks cargo about the checkout that holds this program's own package.
    pub fn discover() -> Result<Self, Error> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .ok_or(Error::NotUnderCargo)?;
        let mut command = toolchain::command("cargo", &package);
        command.args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            TARGET,
        ]);
        // It is cleared for every child; here it decides where the components are built, seen from where the caller stands.
        if let Some(given) = env::var_os("CARGO_TARGET_DIR") {
            let directory = std::path::absolute(&given).map_err(|source| Error::Read {
                path: given.into(),
                source,
            })?;
            command.env("CARGO_TARGET_DIR", directory);
        }
        let answer = toolchain::output(&mut command)?;
        serde_json::from_slice::<Metadata>(&answer)
            .map(Self::from)
            .map_err(|error| Error::CommandOutput {
                command: "cargo metadata".into(),
                reason: error.to_string(),
            })
    }

    /// Where the components and their records stand in the repository.
    pub fn bundled(&self) -> PathBuf {
        self.root.join("host").join("bundled")
    }

    /// The path below the checkout's root with `/` between its parts, the same on every machine.
    pub fn relative(&self, path: &Path) -> Option<String> {
        let parts = path.strip_prefix(&self.root).ok()?.components();
        Some(
            parts
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }
}

impl From<Metadata> for Workspace {
    fn from(metadata: Metadata) -> Self {
        let mut members = BTreeMap::new();
        let mut dependency_directories = BTreeSet::new();
        for package in metadata.packages {
            let Some(directory) = package.manifest_path.parent().map(Path::to_path_buf) else {
                continue;
            };
            if package.source.is_some() {
                dependency_directories.extend(directory.parent().map(Path::to_path_buf));
            } else {
                let member = Member {
                    directory,
                    edition: package.edition,
                    dependencies: package.dependencies,
                };
                members.insert(package.name, member);
            }
        }
        Self {
            root: metadata.workspace_root,
            component_target: metadata.target_directory.join("components"),
            members,
            dependency_directories,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/checkout", "target_directory": "/checkout/target",
        "packages": [
            {"name": "own", "source": null, "manifest_path": "/checkout/extensions/own/Cargo.toml", "edition": "2024",
             "dependencies": [{"name": "serde", "req": "^1", "kind": "dev", "target": null, "optional": false,
                               "uses_default_features": true, "features": []}]},
            {"name": "serde", "source": "registry+x", "manifest_path": "/home/registry/serde-1.0.0/Cargo.toml",
             "edition": "2021", "dependencies": []}
        ]}"#;

    #[test]
    fn own_packages_and_dependencies_are_told_apart() {
        let workspace = Workspace::from(serde_json::from_str::<Metadata>(METADATA).unwrap());
        let own = workspace.members.get("own").unwrap();
        assert_eq!(own.directory, Path::new("/checkout/extensions/own"));
        assert!(own.dependencies.iter().all(Dependency::is_development_only));
        assert!(!workspace.members.contains_key("serde"));
        assert_eq!(
            workspace.dependency_directories,
            BTreeSet::from([PathBuf::from("/home/registry")])
        );
        assert_eq!(
            workspace.component_target,
            Path::new("/checkout/target/components")
        );
    }

    #[test]
    fn paths_are_named_from_the_root() {
        let workspace = Workspace::from(serde_json::from_str::<Metadata>(METADATA).unwrap());
        assert_eq!(
            workspace
                .relative(Path::new("/checkout/wit/world.wit"))
                .as_deref(),
            Some("wit/world.wit")
        );
        assert_eq!(workspace.relative(Path::new("/elsewhere/world.wit")), None);
    }
}

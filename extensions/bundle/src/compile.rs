//! One component from source to bytes, the same bytes in every checkout directory, home directory and target directory.
//!
//! Nothing of the workspace's profiles, of cargo's configuration files or of the environment takes part: every setting that decides
//! about the bytes is given here. The extension's own packages are always compiled anew, never taken from an earlier build.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::digest;
use crate::error::Error;
use crate::sources::Sources;
use crate::toolchain::{self, TARGET, Toolchain};
use crate::workspace::Workspace;

/// The profile that components are compiled with, whole: `release` in the workspace's manifest may change freely.
/// Speed over size: the gateway compiles a component once and answers every request through it. No link-time optimisation: it needs
/// bitcode in the standard library, which not every distribution of it carries.
pub const SETTINGS: [(&str, &str); 10] = [
    ("inherits", "'release'"),
    ("opt-level", "3"),
    ("lto", "'off'"),
    ("codegen-units", "1"),
    ("panic", "'abort'"),
    ("strip", "'symbols'"),
    ("debug", "false"),
    ("debug-assertions", "false"),
    ("overflow-checks", "false"),
    ("incremental", "false"),
];

const PROFILE: &str = "component";

/// Compiles the component and gives its bytes.
pub fn component(
    name: &'static str,
    workspace: &Workspace,
    toolchain: &Toolchain,
    sources: &Sources,
) -> Result<Vec<u8>, Error> {
    toolchain.require_library()?;

    // Cargo goes by modification times, which say nothing when two checkouts share a target directory.
    let mut clean = cargo("clean", workspace);
    clean.arg("--quiet");
    for member in &sources.members {
        clean.args(["--package", member]);
    }
    toolchain::run(&mut clean)?;

    let mut build = cargo("build", workspace);
    // One package a call: built together, the features of one extension's dependencies would leak into the other's.
    build.args(["--lib", "--package", name]);
    build.env(
        "CARGO_ENCODED_RUSTFLAGS",
        remapped(workspace, toolchain).join("\x1f"),
    );
    // Empty values win over wrappers that a configuration file names.
    build
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "");
    toolchain::run(&mut build)?;

    let artefact = workspace
        .component_target
        .join(TARGET)
        .join(PROFILE)
        .join(name.replace('-', "_"));
    require_coverage(name, &artefact.with_extension("d"), workspace, sources)?;
    digest::read(&artefact.with_extension("wasm"))
}

fn cargo(subcommand: &str, workspace: &Workspace) -> Command {
    let mut command = toolchain::command("cargo", &workspace.root);
    command.args([
        subcommand,
        "--locked",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
    ]);
    command.arg("--target-dir").arg(&workspace.component_target);
    for (name, value) in SETTINGS {
        command
            .arg("--config")
            .arg(format!("profile.{PROFILE}.{name}={value}"));
    }
    command
}

/// Gives every directory that differs between machines a fixed name. Where several match, rustc takes the last.
fn remapped(workspace: &Workspace, toolchain: &Toolchain) -> Vec<String> {
    let mut names = vec![
        (toolchain.sysroot.clone(), "/sysroot".to_owned()),
        // Where the standard library's sources are installed, rustc would name them by their real path.
        (
            toolchain.sysroot.join("lib/rustlib/src/rust"),
            format!("/rustc/{}", toolchain.compiler.commit),
        ),
    ];
    names.extend(
        workspace
            .dependency_directories
            .iter()
            .map(|directory| (directory.clone(), "/crates".to_owned())),
    );
    names.push((workspace.root.clone(), "/mngr-latchkey".to_owned()));
    names.push((workspace.component_target.clone(), "/build".to_owned()));
    names
        .into_iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect()
}

/// Refuses a component that was compiled from a file of the checkout which its source hash leaves out: it could go stale unseen.
fn require_coverage(
    component: &'static str,
    dependency_file: &Path,
    workspace: &Workspace,
    sources: &Sources,
) -> Result<(), Error> {
    let text = String::from_utf8_lossy(&digest::read(dependency_file)?).into_owned();
    let uncovered = compiled_files(&text).into_iter().find(|path| {
        path.starts_with(&workspace.root)
            && !path.starts_with(&workspace.component_target)
            && !sources.files.contains(path)
    });
    match uncovered {
        Some(path) => Err(Error::Uncovered { component, path }),
        None => Ok(()),
    }
}

/// The paths of a makefile rule as cargo writes it: separated by spaces, a space within a path escaped by a backslash.
/// Macros name files by way of `..`, which is resolved here as the compiler did.
fn compiled_files(rule: &str) -> Vec<PathBuf> {
    const ESCAPED: &str = "\0";
    let rule = rule.replace("\\ ", ESCAPED);
    let Some((_, paths)) = rule.split_once(": ") else {
        return Vec::new();
    };
    paths
        .split_whitespace()
        .map(|path| normalised(Path::new(&path.replace(ESCAPED, " "))))
        .collect()
}

fn normalised(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::*;
    use crate::digest::Digest;

    #[test]
    fn rule_paths_with_spaces_stay_whole() {
        let files = compiled_files("/t/gate.wasm: /no\\ such/lib.rs /no-such/other.rs\n");
        assert_eq!(
            files,
            [
                PathBuf::from("/no such/lib.rs"),
                PathBuf::from("/no-such/other.rs")
            ]
        );
    }

    #[test]
    fn file_outside_the_hashed_set_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for file in ["lib.rs", "catalog.json"] {
            fs::write(root.join(file), file).unwrap();
        }
        let rule = root.join("gate.d");
        fs::write(
            &rule,
            format!(
                "gate.wasm: {0}/lib.rs {0}/catalog.json /usr/include/x\n",
                root.display()
            ),
        )
        .unwrap();
        let workspace = Workspace {
            component_target: root.join("target"),
            members: BTreeMap::new(),
            dependency_directories: BTreeSet::new(),
            root: root.clone(),
        };
        let mut sources = Sources {
            digest: Digest::recorded(""),
            files: BTreeSet::from([root.join("lib.rs")]),
            members: BTreeSet::new(),
        };
        let error = require_coverage("gate", &rule, &workspace, &sources)
            .unwrap_err()
            .to_string();
        assert!(error.contains("catalog.json"), "{error}");
        sources.files.insert(root.join("catalog.json"));
        require_coverage("gate", &rule, &workspace, &sources).unwrap();
    }
}

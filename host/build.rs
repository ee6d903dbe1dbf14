//! Compiles the service catalog into what the program embeds: `services.json` for clients, `schemas.json` for the engine.
//!
//! A mistake in a source file ends the build and is named with its file, its scope or permission, and what to do. Only a
//! change of `catalog/` or of this program runs it again.

use std::path::{Path, PathBuf};
use std::{fs, io};

use permissions::catalog::order::SERVICES;
use permissions::catalog::source::{self, Problem, Service};

/// The program's own modules; a build script cannot depend on the crate that it is for.
#[allow(dead_code, unused_imports, reason = "the program needs more of them")]
#[path = "src/permissions"]
mod permissions {
    mod pattern;

    pub mod catalog {
        mod listing;
        pub mod order;
        pub mod source;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = directory("CARGO_MANIFEST_DIR")?.join("catalog");
    println!("cargo::rerun-if-changed={}", catalog.display());
    let (services, mut problems) = read(&catalog);
    problems.extend(source::check(&services));
    for problem in &problems {
        println!("cargo::error={problem}");
    }
    for name in unlisted(&catalog)? {
        println!(
            "cargo::error=host/catalog/{name}.json: no such service is listed; add it to src/permissions/catalog/order.rs"
        );
    }
    let out = directory("OUT_DIR")?;
    fs::write(
        out.join("services.json"),
        source::listing(&services).to_json(),
    )?;
    fs::write(
        out.join("schemas.json"),
        serde_json::to_vec(&source::schemas(&services))?,
    )?;
    Ok(())
}

fn directory(variable: &str) -> Result<PathBuf, String> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo sets {variable} for build scripts"))
}

/// What can be read of the source files, and why the rest cannot.
fn read(catalog: &Path) -> (Vec<Service>, Vec<Problem>) {
    let mut services = Vec::new();
    let mut problems = Vec::new();
    for name in SERVICES {
        let content = fs::read_to_string(catalog.join(name).with_extension("json"));
        let service = content
            .map_err(|error| Problem::of_file(name, format!("{error}; write it")))
            .and_then(|content| Service::read(name, &content));
        match service {
            Ok(service) => services.push(service),
            Err(problem) => problems.push(problem),
        }
    }
    (services, problems)
}

/// Source files that nobody would notice.
fn unlisted(catalog: &Path) -> io::Result<Vec<String>> {
    let mut unlisted = Vec::new();
    for entry in fs::read_dir(catalog)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && !SERVICES.contains(&&*name)
        {
            unlisted.push(name.into_owned());
        }
    }
    Ok(unlisted)
}

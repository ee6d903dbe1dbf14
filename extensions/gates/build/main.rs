//! Writes what the worlds in `wit/` let an extension import, as enums that [`gates`] includes.
//!
//! Every world of the package counts: the one in `wit/` itself, and one in each directory below it that is no `deps`. What is
//! new in a world becomes a variant, and every match over the enum that has no answer for it stops compiling.

mod enumeration;
mod worlds;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::enumeration::Enumeration;
use crate::worlds::Worlds;

fn main() -> Result<()> {
    let wit = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    let worlds = Worlds::read(&wit)?;
    let mut functions = Enumeration::new(
        "Function",
        "A function that an extension can call and whose effect leaves the instance.",
    );
    let mut fields = Enumeration::new(
        "Field",
        "A field of the manifest: what an extension can say of itself or ask for.",
    );
    let mut standard = Enumeration::new(
        "Standard",
        "An interface of WASI that the world names, so that an extension can import it.",
    );
    for world in &worlds.0 {
        let version = world.version.to_string();
        for function in &world.functions {
            functions.add(&function.interface, &function.name, &version);
        }
        for field in &world.manifest_fields {
            fields.add("manifest", field, &version);
        }
        for interface in &world.standard {
            standard.add(&interface.package, &interface.name, &version);
        }
    }
    let versions: Vec<_> = worlds
        .0
        .iter()
        .map(|world| world.version.to_string())
        .collect();
    let written = format!(
        "/// The versions of the package that the gateway hosts, the oldest first.\n\
         pub const VERSIONS: &[&str] = &{versions:?};\n{functions}{fields}{standard}"
    );
    let path = PathBuf::from(std::env::var("OUT_DIR")?).join("world.rs");
    std::fs::write(&path, written).with_context(|| format!("cannot write {}", path.display()))
}

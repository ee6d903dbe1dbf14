//! `catalog import`: the schemas of a detent in place of the built-in ones.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{TAKES_EFFECT, printable};
use crate::cli::environment::Environment;
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::permissions::catalog::{Import, OnUnusable};
use crate::store::paths::LatchkeyDirectory;

/// More names than this are counted, and shown by --format json.
const SHOWN: usize = 8;

/// Build the catalog from an installed detent or a checkout, in place of the built-in one
///
/// Names keep their service, display name and order; what detent lacks keeps its built-in schema. Everything is checked before
/// anything is written.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A checkout of detent, its package, or a directory with node_modules that has it
    #[arg(long, value_name = "DIR")]
    detent_root: PathBuf,

    /// Leave out schemas that cannot be used, instead of importing nothing
    #[arg(long)]
    skip_unusable: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let root = environment.expand(&arguments.detent_root)?;
    let root = std::path::absolute(&root).map_err(|error| {
        Failure::usage(format_args!("--detent-root names no directory: {error}"))
    })?;
    let on_unusable = match arguments.skip_unusable {
        true => OnUnusable::Skip,
        false => OnUnusable::Refuse,
    };
    let import = Import::read(&root, on_unusable).map_err(Failure::failed)?;
    let (text, json) = (as_text(&import), as_json(&import));
    import.save(directory).map_err(Failure::failed)?;
    if options.is_json() {
        output::json_line(&json)
    } else {
        output::text(&text)
    }
}

fn as_json(import: &Import) -> Value {
    let skipped = import
        .skipped
        .iter()
        .map(|schema| json!({"name": schema.name, "file": schema.file, "problem": schema.problem}));
    json!({
        "origin": import.origin(),
        "added": import.added,
        "kept": import.kept,
        "unlisted": import.unlisted,
        "skipped": skipped.collect::<Vec<_>>(),
    })
}

fn as_text(import: &Import) -> String {
    let origin = import.origin();
    let counts = origin.counts;
    let mut lines = vec![
        format!("The catalog is now {origin}."),
        format!(
            "{} services, {} scopes, {} permissions",
            counts.services, counts.scopes, counts.permissions
        ),
    ];
    for (names, what) in [
        (&import.added, "new to this program"),
        (
            &import.kept,
            "not in it: their built-in schemas are kept, so that permissions files which name them stay usable",
        ),
        (
            &import.unlisted,
            "without a scope: rules may use them, requests for permissions may not",
        ),
    ] {
        if !names.is_empty() {
            lines.push(format!("{} {what}: {}", names.len(), shown(names)));
        }
    }
    for schema in &import.skipped {
        lines.push(format!(
            "left out: {} of {}: {}",
            schema.name, schema.file, schema.problem
        ));
    }
    lines.push(TAKES_EFFECT.to_owned());
    let printable: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    printable.join("\n") + "\n"
}

fn shown(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len() - first.len();
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

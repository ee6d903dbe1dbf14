//! `extension inspect`: everything about one extension that runs, or about a component's file.

mod capabilities;
mod file;
mod running;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::gateways::{self, Answers};
use super::{printable, subject};
use crate::cli::environment::Environment;
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::extensions::Inspection;
use crate::extensions::report::{ExtensionReport, Origin};
use crate::store::paths::LatchkeyDirectory;

/// Show everything about an extension, or about any component's file
///
/// Of one that runs: what it asks for beside what it is granted, its limits, what it has done. Of a file: its imports and
/// exports, what it would ask for, and the policy that would grant it; nothing of it is run but what describes it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An extension's name; or a file, which ends in .wasm or has a / in it
    #[arg(value_name = "NAME|FILE")]
    subject: PathBuf,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    match name(&arguments.subject) {
        Some(name) => extension(name, directory, options),
        None => {
            let path = environment.expand(&arguments.subject)?;
            let inspection = file::look_into(&path, directory)?
                .map_err(|error| file::not_inspected(&path, &error))?;
            if options.is_json() {
                output::json_line(&json!({"gateways": [], "file": inspection}))
            } else {
                output::text(&file::text(&inspection))
            }
        }
    }
}

/// The extension's name, if the subject is no file.
fn name(subject: &Path) -> Option<&str> {
    let is_file = subject.extension() == Some(OsStr::new("wasm"));
    let name = subject.to_str().filter(|_| !is_file)?;
    (!name.contains('/')).then_some(name)
}

fn extension(name: &str, directory: &LatchkeyDirectory, options: &Options) -> Result<(), Failure> {
    let answers = gateways::list(directory)?.about(|reports| {
        let mut reports = reports.into_iter();
        reports.find(|report| report.name == name)
    });
    let mut reports = answers.given.iter().map(|(_, report)| report);
    let inspection = match reports.any(|report| report.serving.is_some()) {
        true => None,
        false => standing(name, directory, &answers)?,
    };
    if options.is_json() {
        output::json_line(&json!({
            "gateways": answers.as_json("extension"), "file": inspection,
        }))?;
    } else {
        let now = Timestamp::now();
        let reports = answers.given.iter();
        let reports = reports.map(|(gateway, report)| running::text(gateway, report, now));
        let blocks: Vec<_> = reports.chain(inspection.as_ref().map(file::text)).collect();
        output::text(&blocks.join("\n"))?;
    }
    answers.expect_all()
}

/// What stands in the directory under a name that nobody serves; none when that cannot be looked into, and a gateway has said
/// why already.
fn standing(
    name: &str,
    directory: &LatchkeyDirectory,
    answers: &Answers<ExtensionReport>,
) -> Result<Option<Inspection>, Failure> {
    let one = subject::find(directory, name)?;
    if !one.has_component {
        let why = match one.origin {
            Origin::Bundled => "a gateway puts it there when it starts",
            Origin::Installed => "only its policy, or the mark that it is switched off, is",
        };
        return Err(Failure::failed(format_args!(
            "the component of '{}' is not in {}: {why}",
            printable(name),
            directory.extensions_dir().display()
        )));
    }
    match file::look_into(&one.component, directory)? {
        Ok(inspection) => Ok(Some(inspection)),
        Err(_) if !answers.given.is_empty() => Ok(None),
        Err(error) => Err(file::not_inspected(&one.component, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_in_wasm_or_has_a_directory() {
        for (subject, expected) in [
            ("notes", Some("notes")),
            ("notes.v2", Some("notes.v2")),
            ("notes.wasm", None),
            ("./notes", None),
            ("~/x/notes.wasm", None),
        ] {
            assert_eq!(name(Path::new(subject)), expected, "{subject}");
        }
    }
}

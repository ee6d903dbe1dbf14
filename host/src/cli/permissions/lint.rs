//! `permissions lint`: what is most likely wrong with permissions files.

mod presence;
mod report;

use std::path::Path;

use clap::Args;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::options::Options;
use super::super::settings::Settings;
use super::engine::builtin_schemas;
use super::subject::{NoFile, Subject};
use crate::permissions::BuiltinSchemas;
use crate::permissions::lint::{Finding, Survey, lint, lint_directory, lint_private};
use crate::store::paths::LatchkeyDirectory;
use report::Report;

/// Find what is most likely wrong with permissions files
///
/// Looks at the file that an option names, or at all of the latchkey directory: every host's, the handles that are not linked yet,
/// the default and the admin's. Rules that no request reaches, names that do not exist, permissions that grant nothing,
/// patterns that let too much through, hosts and agents that are gone, and more; each finding has a code, a place and advice.
///
/// Exit code: 0 nothing is wrong, 1 an error was found (with --strict: a warning too), 2 a file cannot be used.
/// With --format json: one object a finding, a line each.
#[derive(Debug, Args)]
#[command(mut_group("Subject", |group| group.required(false)))]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Option<Subject>,

    /// Exit with 1 for warnings too
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    survey(arguments, options, environment)
        .and_then(|survey| {
            let report = Report(survey);
            report.print(options)?;
            match report.exit_code(arguments.strict) {
                0 => Ok(()),
                code => Err(Failure::Answered(code)),
            }
        })
        .map_err(Failure::without_answer)
}

fn survey(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<Survey, Failure> {
    let builtin = builtin_schemas(options, environment)?;
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    let Some(subject) = &arguments.subject else {
        let presence = presence::of(&directory)?;
        return Ok(lint_directory(&directory, &builtin, &presence));
    };
    let file = subject.path(options, environment)?;
    if file.symlink_metadata().is_err() {
        return Err(Failure::failed(NoFile(file)));
    }
    Ok(Survey {
        files: 1,
        findings: look_at(&file, &directory, &builtin),
    })
}

/// A file outside of the latchkey directory is not in use; who may read it is nobody's business.
fn look_at(file: &Path, directory: &LatchkeyDirectory, builtin: &BuiltinSchemas) -> Vec<Finding> {
    let findings = if file.starts_with(directory.root()) {
        lint_private(file, builtin)
    } else {
        lint(file, builtin)
    };
    findings.unwrap_or_else(|error| vec![Finding::unusable(file, &error)])
}

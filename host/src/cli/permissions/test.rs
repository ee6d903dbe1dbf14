//! `permissions test`: whether a permissions file says to named requests what it should.

mod file;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::options::Options;
use super::engine::{block_on, engine};
use super::subject::{NoFile, Subject};
use crate::permissions::cases;
use file::CaseFile;
use report::{Judged, Other, Report};

/// Hold a permissions file to named cases, offline
///
/// The cases are a JSON object {"permissions"?: FILE, "cases": [{"name", "request": {"method", "url", "headers"?, "body"?,
/// "account"?}, "expect": "allow" | "deny" | "error", "rule"?: the scope that must decide, or null for none}]}. The file to test
/// is the one that the cases name, relative to them, unless an option names another.
/// Hooks run as they do in the gateway, unless --no-hooks says that a rule with hooks has no answer but "error".
///
/// Exit code: 0 all as expected, 1 a case failed, 2 no test was made.
/// With --format json: one object a case, in order, a line each.
#[derive(Debug, Args)]
#[command(mut_group("Subject", |group| group.required(false)))]
pub(super) struct Arguments {
    /// The cases, as JSON
    #[arg(value_name = "CASES")]
    cases: PathBuf,

    #[command(flatten)]
    subject: Option<Subject>,

    /// Show too what changed since this permissions file, case by case
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Run no hook: a rule that has one answers "error"
    #[arg(long)]
    no_hooks: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    test(arguments, options, environment).map_err(Failure::without_answer)
}

fn test(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let CaseFile { permissions, cases } = CaseFile::load(&environment.expand(&arguments.cases)?)?;
    let permissions = match &arguments.subject {
        Some(subject) => subject.path(options, environment)?,
        None => beside(&arguments.cases, permissions, environment)?,
    };
    let against = arguments
        .against
        .as_ref()
        .map(|path| absolute(&environment.expand(path)?))
        .transpose()?;
    for file in std::iter::once(&permissions).chain(&against) {
        if !file.exists() {
            return Err(Failure::failed(NoFile(file.clone())));
        }
    }
    let mut engine = engine(options, environment)?;
    if arguments.no_hooks {
        engine = engine.without_hooks();
    }
    let (cases, shown): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let (outcomes, before) = block_on(async {
        let outcomes = cases::judge(&engine, &permissions, &cases).await;
        let before = match &against {
            Some(against) => Some(cases::judge(&engine, against, &cases).await),
            None => None,
        };
        (outcomes, before)
    })?;
    let mut before = before.map(Vec::into_iter);
    let judged = cases.iter().zip(shown).zip(outcomes);
    let judged = judged.map(|((case, shown), outcome)| Judged {
        case,
        shown,
        outcome,
        before: before.as_mut().and_then(Iterator::next),
    });
    let report = Report {
        cases: judged.collect(),
        other: against.map(Other),
    };
    report.print(options)?;
    if report.all_passed() {
        Ok(())
    } else {
        Err(Failure::Answered(1))
    }
}

/// The permissions file that the cases name.
fn beside(
    cases: &Path,
    permissions: Option<PathBuf>,
    environment: &Environment,
) -> Result<PathBuf, Failure> {
    let Some(permissions) = permissions else {
        return Err(Failure::usage(format_args!(
            "{} names no permissions file; add \"permissions\" to it, or use --file, --host-id, --agent-id or --agent-env",
            cases.display()
        )));
    };
    let cases = absolute(&environment.expand(cases)?)?;
    let directory = cases.parent().unwrap_or(&cases);
    Ok(directory.join(environment.expand(&permissions)?))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::usage(format_args!("'{}' names no file: {error}", path.display()))
    })
}

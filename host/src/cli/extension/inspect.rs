//! `extension inspect`: everything about one extension that runs.

mod capabilities;
mod running;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::gateways::{self, Answers, none_runs};
use super::subject;
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::extensions::report::ExtensionReport;
use crate::store::paths::LatchkeyDirectory;

/// Show everything about an extension: what it asks for, what it is granted, its limits and what it has done
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let name = &arguments.name;
    let answers = gateways::list(directory)?.about(|reports| {
        let mut reports = reports.into_iter();
        reports.find(|report| report.name == *name)
    });
    if answers.given.is_empty() {
        answers.expect_all()?;
        subject::find(directory, name)?;
        return Err(Failure::failed(format_args!("{}", none_runs(directory))));
    }
    if options.is_json() {
        output::json_line(&as_json(&answers))?;
    } else {
        output::text(&as_text(&answers))?;
    }
    answers.expect_all()
}

fn as_json(answers: &Answers<ExtensionReport>) -> Value {
    json!({"gateways": answers.as_json("extension")})
}

fn as_text(answers: &Answers<ExtensionReport>) -> String {
    let now = Timestamp::now();
    let blocks: Vec<_> = answers
        .given
        .iter()
        .map(|(gateway, report)| running::text(gateway, report, now))
        .collect();
    blocks.join("\n")
}

//! `extension list`: how every extension stands, a line each, with what is wrong and what to do about it.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::gateways::{self, Answers, heading, none_runs};
use super::outcome::{origin_in_words, state_in_words};
use super::printable;
use super::table::{Side, Table};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::cli::times::ago;
use crate::extensions::installed::{Installed, installed};
use crate::extensions::report::{ExtensionReport, Origin, State};
use crate::store::paths::LatchkeyDirectory;

const NOTHING: &str = "-";

/// List the extensions: which run, what they have done, and what is wrong with the others
///
/// Asks every gateway of the directory that runs. Without one: what stands in the extensions directory.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(directory: &LatchkeyDirectory, options: &Options) -> Result<(), Failure> {
    let answers = gateways::list(directory)?;
    let standing = installed(&directory.extensions_dir()).map_err(Failure::failed)?;
    if options.is_json() {
        output::json_line(&as_json(directory, &answers, &standing))?;
    } else if answers.is_empty() {
        output::text(&standing_as_text(directory, &standing))?;
    } else {
        output::text(&as_text(&answers, Timestamp::now()))?;
    }
    answers.expect_all()
}

fn as_json(
    directory: &LatchkeyDirectory,
    answers: &Answers<Vec<ExtensionReport>>,
    standing: &[Installed],
) -> Value {
    json!({
        "directory": directory.extensions_dir(),
        "gateways": answers.as_json("extensions"),
        "installed": standing,
    })
}

fn as_text(answers: &Answers<Vec<ExtensionReport>>, now: Timestamp) -> String {
    let gateways = answers.given.iter();
    let blocks: Vec<_> = gateways
        .map(|(gateway, reports)| format!("{}\n\n{}", heading(gateway, now), table(reports, now)))
        .collect();
    blocks.join("\n")
}

fn table(reports: &[ExtensionReport], now: Timestamp) -> String {
    let mut table = Table::new([
        ("NAME", Side::Left),
        ("STATE", Side::Left),
        ("ORIGIN", Side::Left),
        ("VERSION", Side::Left),
        ("WORLD", Side::Left),
        ("REQUESTS", Side::Right),
        ("ERRORS", Side::Right),
        ("RESTARTS", Side::Right),
        ("MEMORY", Side::Right),
        ("SINCE", Side::Right),
    ]);
    for report in reports {
        let about = |of: fn(&crate::extensions::report::Serving) -> String| {
            report
                .serving
                .as_ref()
                .map_or_else(|| NOTHING.to_owned(), |serving| printable(&of(serving)))
        };
        let since = report.serving.as_ref();
        let row = [
            printable(&report.name),
            state_in_words(report.state).to_owned(),
            origin_in_words(report.origin).to_owned(),
            about(|serving| serving.version.clone()),
            about(|serving| serving.world.clone()),
            about(|serving| serving.activity.requests.to_string()),
            about(|serving| serving.activity.errors.to_string()),
            about(|serving| serving.activity.restarts.to_string()),
            about(|serving| mebibytes(serving.activity.memory_bytes)),
            since.map_or_else(|| NOTHING.to_owned(), |serving| ago(serving.since, now)),
        ];
        table.row(row, remarks(report, now));
    }
    table.text()
}

/// What is wrong with an extension and what brings it back, for people; a sentence a line.
pub(super) fn remarks(report: &ExtensionReport, now: Timestamp) -> Vec<String> {
    let name = &report.name;
    let mut remarks = Vec::new();
    let activity = report.serving.as_ref().map(|serving| &serving.activity);
    if report.state == State::Disabled {
        remarks.push(format!(
            "switched off: `mngr-latchkey extension enable {name}` brings it back"
        ));
    }
    if let Some(activity) = activity {
        let crash = activity.last_crash.as_ref();
        if let Some(until) = activity.out_of_service_until {
            let last =
                crash.map_or_else(String::new, |crash| format!(", the last: {}", crash.reason));
            let left = match until > now {
                true => format!("for another {}, until {until:.0},", ago(now, until)),
                false => "until its next request".to_owned(),
            };
            remarks.push(format!(
                "out of service {left} after {} crashes{last}: `mngr-latchkey extension reload {name}` tries it at once",
                activity.restarts
            ));
        } else if let Some(crash) = crash {
            remarks.push(format!(
                "an instance failed {} ago and was replaced: {}: `mngr-latchkey extension logs {name}` shows what it said",
                ago(crash.at, now),
                crash.reason
            ));
        }
    }
    if let Some(error) = &report.error {
        remarks.push(match activity {
            Some(_) => format!(
                "what stands in the directory is not served, what served before goes on: {error}"
            ),
            None => format!("not served: {error}"),
        });
    }
    remarks.iter().map(|remark| printable(remark)).collect()
}

/// Without a gateway there is only what it would find.
fn standing_as_text(directory: &LatchkeyDirectory, standing: &[Installed]) -> String {
    let mut table = Table::new([
        ("NAME", Side::Left),
        ("STATE", Side::Left),
        ("ORIGIN", Side::Left),
        ("POLICY", Side::Left),
    ]);
    for one in standing {
        let state = match (one.is_disabled, one.has_component, one.origin) {
            (true, _, _) => "disabled",
            (false, true, _) | (false, false, Origin::Bundled) => "enabled",
            (false, false, Origin::Installed) => "no component",
        };
        let policy = match (one.origin, one.has_policy) {
            (Origin::Bundled, _) => "built in",
            (Origin::Installed, true) => "there",
            (Origin::Installed, false) => "missing: it would not be served",
        };
        let row = [
            printable(&one.name),
            state.to_owned(),
            origin_in_words(one.origin).to_owned(),
            policy.to_owned(),
        ];
        table.row(row, Vec::new());
    }
    format!(
        "{}; {} has\n\n{}",
        none_runs(directory),
        printable(&directory.extensions_dir().display().to_string()),
        table.text()
    )
}

/// For people.
pub(super) fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1024 * 1024;
    // Tenths, rounded up, so that what is there does not show as nothing.
    let tenths = bytes.saturating_mul(10).div_ceil(MEBIBYTE);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;

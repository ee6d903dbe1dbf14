//! An extension of a gateway that runs, in full, for people.

use jiff::Timestamp;

use super::super::list::{mebibytes, remarks};
use super::super::outcome::{origin_in_words, state_in_words};
use super::super::printable;
use super::capabilities;
use crate::cli::times::ago;
use crate::extensions::report::{Activity, ExtensionReport, Serving};
use crate::gateway::control::Respondent;

/// As it is at `now`; ends with a line end.
pub(super) fn text(gateway: &Respondent, report: &ExtensionReport, now: Timestamp) -> String {
    let mut text = format!("{}\n", printable(&report.name));
    let mut line = |key: &str, value: &str| {
        text.push_str(&format!("{key:<10}  {}\n", printable(value)));
    };
    let since = match &report.serving {
        Some(serving) => format!(", loaded {} ago", ago(serving.since, now)),
        None => String::new(),
    };
    let state = state_in_words(report.state);
    line(
        "state",
        &format!("{state}{since} (gateway with pid {})", gateway.pid),
    );
    line("origin", origin_in_words(report.origin));
    line("component", &report.component.display().to_string());
    if let Some(serving) = &report.serving {
        line("sha256", &serving.sha256);
        line("version", &serving.version);
        line("world", &serving.world);
    }
    for remark in remarks(report, now) {
        text.push_str(&format!("\n{remark}\n"));
    }
    if let Some(serving) = &report.serving {
        text.push_str(&about(serving, now));
    }
    text
}

fn about(serving: &Serving, now: Timestamp) -> String {
    let granted = &serving.granted;
    format!(
        "\n{}\nLIMITS\n{}\nACTIVITY\n{}",
        capabilities::table(&serving.asked, &granted.capabilities),
        capabilities::limits(&granted.limits),
        activity(&serving.activity, now),
    )
}

fn activity(activity: &Activity, now: Timestamp) -> String {
    let mut lines = vec![
        ("instances", activity.instances.to_string()),
        ("memory", mebibytes(activity.memory_bytes)),
        (
            "requests",
            format!(
                "{}, {} in progress",
                activity.requests, activity.in_progress
            ),
        ),
        ("errors", activity.errors.to_string()),
        ("restarts", activity.restarts.to_string()),
    ];
    if let Some(crash) = &activity.last_crash {
        let crash = format!("{} ago: {}", ago(crash.at, now), crash.reason);
        lines.push(("last crash", crash));
    }
    let lines = lines.into_iter();
    lines
        .map(|(key, value)| format!("{key:<10}  {}\n", printable(&value)))
        .collect()
}

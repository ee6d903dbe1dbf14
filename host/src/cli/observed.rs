//! What every command that shows a host's permissions says first while they are not enforced.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::Environment;
use super::options::Options;
use super::settings::Settings;
use super::times::ago;
use crate::store::ids::HostId;
use crate::store::observe::{self, Observation};
use crate::store::paths::LatchkeyDirectory;

/// A line for people about `host`; none when its permissions are enforced, as they should be. One that cannot be told is
/// enforced too, and has a line that says what is wrong.
pub(super) fn notice(
    directory: &LatchkeyDirectory,
    host: &HostId,
    now: Timestamp,
) -> Option<String> {
    match observe::current(directory, host, now) {
        Ok(observation) => observation.map(|observation| line(host, &observation, now)),
        Err(error) => Some(printable(&error.to_string())),
    }
}

/// Such a line for each host that needs one.
pub(super) fn notices(directory: &LatchkeyDirectory, now: Timestamp) -> Vec<String> {
    let found = match observe::all(directory) {
        Ok(found) => found,
        Err(error) => return vec![printable(&error.to_string())],
    };
    found
        .into_iter()
        .filter_map(|(host, observation)| match observation {
            Ok(observation) if observation.is_current(now) => Some(line(&host, &observation, now)),
            Ok(_) => None,
            Err(error) => Some(printable(&error.to_string())),
        })
        .collect()
}

/// The line about the host whose permissions file this is; none for a file of no host, or where the directory cannot be told.
pub(super) fn notice_for_file(
    file: &Path,
    options: &Options,
    environment: &Environment,
) -> Option<String> {
    let settings = Settings::resolve(options, environment).ok()?;
    let directory = LatchkeyDirectory::new(&settings.directory).ok()?;
    let host = observe::host_of(&directory, file)?;
    notice(&directory, &host, Timestamp::now())
}

/// The hosts in observe mode, for programs.
pub(super) fn hosts(directory: &LatchkeyDirectory, now: Timestamp) -> Vec<Value> {
    let found = observe::all(directory).unwrap_or_default();
    found
        .into_iter()
        .filter_map(|(host, observation)| Some((host, observation.ok()?)))
        .filter(|(_, observation)| observation.is_current(now))
        .map(|(host, observation)| as_json(&host, &observation))
        .collect()
}

/// One host in observe mode, for programs.
pub(super) fn as_json(host: &HostId, observation: &Observation) -> Value {
    json!({
        "host_id": host,
        "since": observation.since,
        "until": observation.until,
        "by": observation.by,
    })
}

fn line(host: &HostId, observation: &Observation, now: Timestamp) -> String {
    printable(&format!(
        "OBSERVE MODE: {host} may do what its permissions deny, for another {} (until {:.0}, by {})",
        ago(now, observation.until),
        observation.until,
        observation.by
    ))
}

/// A file may hold anything, also what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

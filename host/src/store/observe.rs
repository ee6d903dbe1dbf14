//! Which hosts are in observe mode: what their permissions files would deny is let through and logged, for a stated time.
//!
//! One file a host, `hosts/<host id>/latchkey_observe.json`, beside the permissions file and never in it: that one is for
//! other readers too. It is written and removed under the host's lock. An observation is current from `since` until just
//! before `until`, whatever happens to the processes in between; nobody has to end it. A file that is not exactly one is an
//! error, and whoever meets the error enforces.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::durable::{self, PRIVATE_FILE, StorageError};
use super::hosts;
use super::ids::HostId;
use super::lock::DirectoryLock;
use super::paths::LatchkeyDirectory;

/// The longest that a host may be observed without anybody saying so again.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
const SIZE_LIMIT: u64 = 64 * 1024;

/// For how long, and by whose word, a host's permissions are not enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    pub since: Timestamp,
    /// The first moment at which the permissions are enforced again.
    pub until: Timestamp,
    /// The user who asked for it.
    pub by: String,
}

impl Observation {
    /// Whether it holds at `now`. Before it began, by a clock that was set back, it does not.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }

    /// How much of it is left at `now`; zero when it is over.
    pub fn remaining(&self, now: Timestamp) -> SignedDuration {
        self.until.duration_since(now).max(SignedDuration::ZERO)
    }
}

/// Why it cannot be said whether a host is observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error("{} is not a file of the observe mode, so permissions are enforced: {detail}; end or begin the mode anew with `permissions observe`", path.display())]
    Malformed { path: PathBuf, detail: String },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a host is not put in observe mode.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error("observe mode ends by itself after a time above zero and of at most 7 days")]
    Duration,
    #[error("the host {host} has no permissions file {}: run link-permissions or register-agent for it first, or correct the id", path.display())]
    UnknownHost { host: HostId, path: PathBuf },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What the host's file says, whether it is over or not; none when there is no file.
pub fn read(
    directory: &LatchkeyDirectory,
    host: &HostId,
) -> Result<Option<Observation>, ObserveError> {
    let path = directory.host_observation(host);
    let Some((content, _)) = durable::read(&path, SIZE_LIMIT)? else {
        return Ok(None);
    };
    match parse(&content) {
        Ok(observation) => Ok(Some(observation)),
        Err(detail) => Err(ObserveError::Malformed { path, detail }),
    }
}

/// The host's observation if it holds at `now`. For everything that shows a host's permissions and must say that they are
/// not enforced.
pub fn current(
    directory: &LatchkeyDirectory,
    host: &HostId,
    now: Timestamp,
) -> Result<Option<Observation>, ObserveError> {
    let observation = read(directory, host)?;
    Ok(observation.filter(|observation| observation.is_current(now)))
}

/// What one host's file says.
pub type Reading = Result<Observation, ObserveError>;

/// Every host that has such a file, by id, with what it says.
///
/// # Errors
/// When the hosts cannot be listed. One that cannot be read is an error of its own in the list.
pub fn all(directory: &LatchkeyDirectory) -> Result<Vec<(HostId, Reading)>, StorageError> {
    let hosts = hosts::with_directory(directory)?;
    let readings = hosts.into_iter().filter_map(|host| {
        let reading = read(directory, &host).transpose()?;
        Some((host, reading))
    });
    Ok(readings.collect())
}

/// Puts the host in observe mode from `now` on, for `duration`. One that is in it already begins anew.
pub fn begin(
    directory: &LatchkeyDirectory,
    host: &HostId,
    duration: SignedDuration,
    by: &str,
    now: Timestamp,
) -> Result<Observation, BeginError> {
    if duration <= SignedDuration::ZERO || duration > LONGEST {
        return Err(BeginError::Duration);
    }
    let until = now.checked_add(duration);
    let observation = Observation {
        since: now,
        until: until.map_err(|_| BeginError::Duration)?,
        by: by.to_owned(),
    };
    let permissions = directory.host_permissions(host);
    let unknown = || BeginError::UnknownHost {
        host: host.clone(),
        path: permissions.clone(),
    };
    if !permissions.is_file() {
        return Err(unknown());
    }
    let path = directory.host_observation(host);
    let text = serde_json::to_string_pretty(&observation)
        .map_err(|error| StorageError::new("write", &path, error.into()))?;
    let _lock = DirectoryLock::acquire(permissions.parent().ok_or_else(unknown)?)?;
    durable::write(&path, format!("{text}\n").as_bytes(), PRIVATE_FILE)?;
    Ok(observation)
}

/// Ends the host's observation. False when there is none, also none that is over.
pub fn end(directory: &LatchkeyDirectory, host: &HostId) -> Result<bool, StorageError> {
    let path = directory.host_observation(host);
    let host_directory = path.parent().unwrap_or(directory.root());
    if !host_directory.is_dir() {
        return Ok(false);
    }
    let _lock = DirectoryLock::acquire(host_directory)?;
    durable::remove(&path)
}

fn parse(content: &[u8]) -> Result<Observation, String> {
    let observation: Observation =
        serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let length = observation.until.duration_since(observation.since);
    if length <= SignedDuration::ZERO || length > LONGEST {
        return Err(
            "from \"since\" to \"until\" it must take some time, and at most 7 days".to_owned(),
        );
    }
    Ok(observation)
}

/// The host whose permissions file is at `permissions`, directly or at the end of a handle's link.
pub fn host_of(directory: &LatchkeyDirectory, permissions: &Path) -> Option<HostId> {
    let file = fs::canonicalize(permissions).ok()?;
    let hosts = fs::canonicalize(directory.hosts_dir()).ok()?;
    let name = file.strip_prefix(&hosts).ok()?.parent()?.to_str()?;
    let host = HostId::parse(name).ok()?;
    let own = directory.host_permissions(&host);
    (file.file_name() == own.file_name()).then_some(host)
}

#[cfg(test)]
mod tests;

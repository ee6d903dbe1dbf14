//! Whether a denial is enforced: not for a host in observe mode, and even then with exceptions.
//!
//! Only a request that would be denied gets here, so the mode costs other requests nothing. A host is known by the permissions
//! file that applies, directly or through a handle. The stated end is held to by two clocks: by the time of day, and by how
//! long this gateway has known of the observation, so that a clock that is set back prolongs nothing while a gateway runs.
//! What cannot be read, or is malformed, is not in observe mode, and the log says so.
//!
//! Denied in observe mode too, because an agent could otherwise take more than a dry run is to show:
//! - everything that answers about or edits permissions: the extensions that may, and their paths;
//! - below the proxy, everything that is about agents, however the path is spelled: it is other agents' data;
//! - files of the latchkey directory, which the API may serve as it does others, and every request with a second path in the
//!   header `Destination`: an agent that reads the key, or replaces a permissions file, needs no observe mode any more.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde_json::Value;

use crate::permissions::Request;
use crate::store::ids::HostId;
use crate::store::observe::{self, Observation};
use crate::store::paths::LatchkeyDirectory;

/// The first segments of what is the gateway's own.
const OWN: [&str; 2] = ["permissions", "permission-requests"];
const PROXY: &str = "minds-api-proxy";
const AGENTS: &str = "agents";
/// Names that are the latchkey directory's wherever they are, for links may lead to it by another path.
const KEPT: [&str; 4] = [
    "encryption_key",
    "latchkey_permissions.json",
    "mngr_latchkey",
    "permission_requests",
];
/// The header that gives COPY and MOVE a second path.
const DESTINATION: &str = "destination";
/// `%252e` and the like, which careless servers decode more than once.
const MOST_DECODINGS: usize = 4;

/// What this gateway knows of observed hosts. It says in the log what changes.
pub(super) struct Observations {
    directory: LatchkeyDirectory,
    /// The segments of the directory's path, as it is named and as it is.
    roots: Vec<Vec<String>>,
    known: Mutex<HashMap<HostId, Known>>,
}

/// What was last seen of a host.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    Observed {
        observation: Observation,
        /// By the clock that nobody sets.
        ends: Instant,
        /// Whether it held when it was last looked at.
        is_on: bool,
    },
    Unusable(String),
}

impl Observations {
    pub(super) fn new(directory: LatchkeyDirectory) -> Self {
        let root = directory.root();
        let mut roots: Vec<_> = std::iter::once(root.to_owned())
            .chain(fs::canonicalize(root))
            .map(|root| segments(&root.to_string_lossy()))
            .filter(|root| !root.is_empty())
            .collect();
        roots.dedup();
        Self {
            directory,
            roots,
            known: Mutex::default(),
        }
    }

    /// Whether the request, sent on to whoever serves files, may reach those of the latchkey directory.
    pub(super) fn may_reach_own_files(&self, request: &Request) -> bool {
        let member = |name| request.as_value().get(name);
        let headers = member("headers").and_then(Value::as_object);
        if headers.is_some_and(|headers| headers.contains_key(DESTINATION)) {
            return true;
        }
        let path = member("path").and_then(Value::as_str).unwrap_or_default();
        let path = segments(path);
        let is_kept = |segment: &String| KEPT.contains(&segment.as_str());
        let is_below = |root: &Vec<String>| path.windows(root.len()).any(|part| part == root);
        path.iter().any(is_kept) || self.roots.iter().any(is_below)
    }

    /// The host whose permissions file this is, and whether it is in observe mode. Blocking.
    pub(super) fn of(&self, permissions: &Path) -> Option<(HostId, bool)> {
        let host = observe::host_of(&self.directory, permissions)?;
        let is_observed = self.is_observed(&host, Timestamp::now(), Instant::now());
        Some((host, is_observed))
    }

    fn is_observed(&self, host: &HostId, now: Timestamp, instant: Instant) -> bool {
        let found = observe::read(&self.directory, host).map_err(|error| error.to_string());
        self.note(host, found, now, instant)
    }

    /// Looks at all hosts, so that the log says which are observed also when nobody is denied anything. Blocking.
    pub(super) fn look(&self) {
        let found = match observe::all(&self.directory) {
            Ok(found) => found,
            Err(error) => {
                return tracing::warn!("the hosts in observe mode are not known: {error}");
            }
        };
        let (now, instant) = (Timestamp::now(), Instant::now());
        let gone: Vec<HostId> = {
            let known = self.lock();
            let is_gone = |host: &&HostId| !found.iter().any(|(found, _)| found == *host);
            known.keys().filter(is_gone).cloned().collect()
        };
        for host in gone {
            self.note(&host, Ok(None), now, instant);
        }
        for (host, observation) in found {
            let found = observation.map(Some).map_err(|error| error.to_string());
            self.note(&host, found, now, instant);
        }
    }

    /// Takes in what was found, says so if it is new, and gives whether the host is observed.
    fn note(
        &self,
        host: &HostId,
        found: Result<Option<Observation>, String>,
        now: Timestamp,
        instant: Instant,
    ) -> bool {
        let mut known = self.lock();
        match (found, known.get(host)) {
            (Ok(Some(observation)), seen) => {
                let (ends, was_on) = match seen {
                    Some(Known::Observed {
                        observation: same,
                        ends,
                        is_on,
                    }) if observation == *same => (*ends, *is_on),
                    _ => match end(&observation, now, instant) {
                        Some(ends) => (ends, false),
                        None => return false,
                    },
                };
                let is_on = observation.is_current(now) && instant < ends;
                match (was_on, is_on) {
                    (false, true) => tracing::warn!(
                        host = host.as_str(),
                        until = %observation.until,
                        by = observation.by,
                        "the host is in OBSERVE MODE: what its permissions would deny is let through and logged"
                    ),
                    (true, false) => warn_of_end(host),
                    _ => {}
                }
                // Kept while the file is there: a clock that comes back to its time must not begin it anew.
                let seen = Known::Observed {
                    observation,
                    ends,
                    is_on,
                };
                known.insert(host.clone(), seen);
                is_on
            }
            (Ok(None), None) => false,
            (Ok(None), Some(_)) => {
                let gone = known.remove(host);
                if !matches!(gone, Some(Known::Observed { is_on: false, .. })) {
                    warn_of_end(host);
                }
                false
            }
            (Err(problem), Some(Known::Unusable(same))) if problem == *same => false,
            (Err(problem), _) => {
                tracing::warn!(host = host.as_str(), "{problem}");
                known.insert(host.clone(), Known::Unusable(problem));
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HostId, Known>> {
        // Nothing under the lock leaves half a change behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn_of_end(host: &HostId) {
    tracing::warn!(
        host = host.as_str(),
        "the host is in observe mode no more: its permissions are enforced"
    );
}

fn end(observation: &Observation, now: Timestamp, instant: Instant) -> Option<Instant> {
    // Not more than its whole length, where the clock is before its beginning.
    let from = now.max(observation.since);
    let remaining = observation.remaining(from).try_into().ok()?;
    instant.checked_add(remaining)
}

/// Whether a denied request to this path stays denied in observe mode. `path` is percent-encoded.
pub(in crate::gateway) fn is_always_enforced(path: &str) -> bool {
    let segments = segments(path);
    let mut segments = segments.iter().map(String::as_str);
    match segments.next() {
        Some(first) if OWN.contains(&first) => true,
        // Whatever version of the API.
        Some(PROXY) => segments.any(|segment| {
            let bare = segment.trim_matches(|character: char| !character.is_alphanumeric());
            bare == AGENTS || segment == ".."
        }),
        _ => false,
    }
}

/// What the path consists of, as the most careless server would read it.
fn segments(path: &str) -> Vec<String> {
    decoded(path)
        .split(['/', '\\'])
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .filter(|segment| !matches!(*segment, "" | "."))
        .map(str::to_owned)
        .collect()
}

fn decoded(path: &str) -> String {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..MOST_DECODINGS {
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            break;
        }
        bytes = decoded;
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.retain(|character| !character.is_control());
    // Twice, for some letters have their like in lower case only by way of upper case.
    text.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests;

//! Whether a denial is enforced: not for a host in observe mode, and even then with exceptions.
//!
//! Only a request that would be denied gets here, so the mode costs other requests nothing. A host is known by the permissions
//! file that applies, directly or through a handle. The stated end is held to by two clocks: by the time of day, and by how
//! long this gateway has known of the observation, so that a clock that is set back prolongs nothing while a gateway runs.
//! What cannot be read, or is malformed, is not in observe mode, and the log says so.
//!
//! Denied in observe mode too, because an agent could otherwise take more than a dry run is to show:
//! - everything that answers about or edits permissions: the extensions that may, and their paths;
//! - below the proxy, everything that is about agents, however the path is spelled: it is other agents' data.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use percent_encoding::percent_decode;

use crate::store::ids::HostId;
use crate::store::observe::{self, Observation};
use crate::store::paths::LatchkeyDirectory;

/// The first segments of what is the gateway's own.
const OWN: [&str; 2] = ["permissions", "permission-requests"];
const PROXY: &str = "minds-api-proxy";
const AGENTS: &str = "agents";
/// `%252e` and the like, which careless servers decode more than once.
const MOST_DECODINGS: usize = 4;

/// What this gateway knows of observed hosts. It says in the log what changes.
pub(super) struct Observations {
    directory: LatchkeyDirectory,
    known: Mutex<HashMap<HostId, Known>>,
}

/// What was last seen of a host.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    Observed {
        observation: Observation,
        /// By the clock that nobody sets.
        ends: Instant,
    },
    Unusable(String),
}

impl Observations {
    pub(super) fn new(directory: LatchkeyDirectory) -> Self {
        Self {
            directory,
            known: Mutex::default(),
        }
    }

    /// The host whose permissions file this is, and whether it is in observe mode. Blocking.
    pub(super) fn of(&self, permissions: &Path) -> Option<(HostId, bool)> {
        let host = observe::host_of(&self.directory, permissions)?;
        let is_observed = self.is_observed(&host, Timestamp::now(), Instant::now());
        Some((host, is_observed))
    }

    fn is_observed(&self, host: &HostId, now: Timestamp, instant: Instant) -> bool {
        let found = match observe::read(&self.directory, host) {
            Ok(found) => Ok(found.filter(|observation| observation.is_current(now))),
            Err(error) => Err(error.to_string()),
        };
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
            let found = match observation {
                Ok(observation) => Ok(Some(observation).filter(|one| one.is_current(now))),
                Err(error) => Err(error.to_string()),
            };
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
            (
                Ok(Some(observation)),
                Some(Known::Observed {
                    observation: same,
                    ends,
                }),
            ) if observation == *same => instant < *ends,
            (Ok(Some(observation)), _) => {
                let Some(ends) = end(&observation, now, instant) else {
                    return false;
                };
                tracing::warn!(
                    host = host.as_str(),
                    until = %observation.until,
                    by = observation.by,
                    "the host is in OBSERVE MODE: what its permissions would deny is let through and logged"
                );
                known.insert(host.clone(), Known::Observed { observation, ends });
                true
            }
            (Ok(None), None) => false,
            (Ok(None), Some(_)) => {
                known.remove(host);
                tracing::warn!(
                    host = host.as_str(),
                    "the host is in observe mode no more: its permissions are enforced"
                );
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

fn end(observation: &Observation, now: Timestamp, instant: Instant) -> Option<Instant> {
    let remaining = observation.remaining(now).try_into().ok()?;
    instant.checked_add(remaining)
}

/// Whether a denied request to this path stays denied in observe mode. `path` is percent-encoded.
pub(in crate::gateway) fn is_always_enforced(path: &str) -> bool {
    let plain = decoded(path);
    let mut segments = plain
        .split(['/', '\\'])
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .filter(|segment| !matches!(*segment, "" | "."));
    match segments.next() {
        Some(first) if OWN.contains(&first) => true,
        // Whatever version of the API.
        Some(PROXY) => segments.any(|segment| segment == AGENTS),
        _ => false,
    }
}

/// As the most careless server would read it.
fn decoded(path: &str) -> String {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..MOST_DECODINGS {
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            break;
        }
        bytes = decoded;
    }
    String::from_utf8_lossy(&bytes).to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use jiff::SignedDuration;
    use tempfile::TempDir;

    use super::*;

    const START: &str = "2026-11-21T12:00:00Z";

    fn host() -> HostId {
        HostId::parse(&format!("host-{}", "1".repeat(32))).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn observations() -> (TempDir, Observations) {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(root.path()).unwrap();
        let file = directory.host_permissions(&host());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "{}").unwrap();
        (root, Observations::new(directory))
    }

    fn begin(observations: &Observations, minutes: i64) {
        let duration = SignedDuration::from_mins(minutes);
        observe::begin(
            &observations.directory,
            &host(),
            duration,
            "me",
            time(START),
        )
        .unwrap();
    }

    #[test]
    fn an_observation_ends_by_whichever_clock_is_first() {
        let (_root, observations) = observations();
        let began = Instant::now();
        let minutes = |minutes: u64| began + Duration::from_secs(60 * minutes);
        let is = |now: &str, instant| observations.is_observed(&host(), time(now), instant);
        assert!(!is(START, began), "nobody said so yet");
        begin(&observations, 30);
        assert!(is(START, began));
        assert!(is("2026-11-21T12:29:59Z", minutes(29)));
        assert!(
            !is("2026-11-21T12:10:00Z", minutes(30)),
            "the clock was set back"
        );
        assert!(!is("2026-11-21T12:30:00Z", minutes(30)));
        assert!(!is("2026-11-21T11:00:00Z", minutes(31)), "far back");
    }

    #[test]
    fn a_new_word_counts_at_once() {
        let (_root, observations) = observations();
        let now = Instant::now();
        let is = |now_is: &str| observations.is_observed(&host(), time(now_is), now);
        begin(&observations, 1);
        assert!(is(START));
        assert!(!is("2026-11-21T12:05:00Z"));
        begin(&observations, 30);
        assert!(is("2026-11-21T12:05:00Z"));
        observe::end(&observations.directory, &host()).unwrap();
        assert!(!is("2026-11-21T12:05:00Z"));
        fs::write(observations.directory.host_observation(&host()), "{").unwrap();
        assert!(!is("2026-11-21T12:05:00Z"));
        begin(&observations, 30);
        assert!(is("2026-11-21T12:05:00Z"));
    }

    #[test]
    fn permissions_and_other_agents_are_never_observed() {
        for path in [
            "/permissions/rules",
            "/permissions",
            "/permission-requests/approve/x",
            "//permission-requests",
            "/%70ermissions/self",
            "/minds-api-proxy/api/v1/agents",
            "/minds-api-proxy/api/v1/agents/agent-1/x",
            "/minds-api-proxy//api/./v1/Agents/agent-1/x",
            "/minds-api-proxy/api/v2/%61gents/agent-1/x",
            "/minds-api-proxy/api/v1%2f%2561gents%5cagent-1/x",
            "/minds-api-proxy/api/v1/agents;x=y/agent-1/x",
        ] {
            assert!(is_always_enforced(path), "{path}");
        }
        for path in [
            "/",
            "/minds-api-proxy",
            "/minds-api-proxy/api/v1/files/home/me/x",
            "/minds-api-proxy/api/v1/agentsx/y",
            "/minds-api-proxy/permissions",
            "/hello/agents",
        ] {
            assert!(!is_always_enforced(path), "{path}");
        }
    }
}

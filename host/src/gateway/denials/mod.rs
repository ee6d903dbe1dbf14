//! Requests that a permissions file does not allow: what the agent and what the operator is told of them.
//!
//! The agent gets the literal 403 and, in a header of it, an id that says nothing else. Under that id the log has a record of
//! the whole reason: which file, which rule or which error, and the request without what may be a secret. Such records are
//! bounded, each and together (`ledger`): an agent that keeps asking does not push everything else out of the log.
//!
//! For a host in observe mode (`observation`) the record is made all the same, and the request goes on. What is never let
//! through is decided in `observation` alone.

mod entry;
mod ledger;
mod lookup;
mod observation;
mod request;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

use self::ledger::Ledger;
use self::observation::Observations;
pub(super) use self::observation::is_always_enforced;
use crate::permissions::{CheckError, Request, Verdict};
use crate::store::paths::LatchkeyDirectory;

pub use self::entry::{Cause, Denial, Entry, Kind, LoggedRule, Summary, TARGET};
pub use self::lookup::{FindError, Occurrences, WouldBeDenials, find, would_be_denials};
pub use self::request::{LoggedRequest, Withheld, Withholding};

/// The header of a 403 that carries its id.
pub const HEADER: &str = "X-Latchkey-Gateway-Request-Id";

/// Names a denial: 32 hexadecimal characters, no two alike, also those of different gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(u128);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

fn is_request_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Gives out ids: a count, hashed with a key that the system made for this process, so that nobody sees how many there were.
#[derive(Default)]
struct RequestIds {
    key: RandomState,
    given: AtomicU64,
}

impl RequestIds {
    fn next(&self) -> RequestId {
        let count = self.given.fetch_add(1, Ordering::Relaxed);
        let [high, low] = [0_u8, 1].map(|half| u128::from(self.key.hash_one((half, count))));
        RequestId(high << 64 | low)
    }
}

/// What becomes of a request that was not allowed.
pub(super) enum Consequence {
    /// It is denied, under this id.
    Refused(RequestId),
    /// Its host is in observe mode.
    LetThrough,
}

/// Decides on denials and logs them. One a gateway.
pub(super) struct Denials {
    ids: RequestIds,
    ledger: Ledger,
    observations: Arc<Observations>,
}

impl Denials {
    pub(super) fn new(directory: LatchkeyDirectory) -> Self {
        Self {
            ids: RequestIds::default(),
            ledger: Ledger::default(),
            observations: Arc::new(Observations::new(directory)),
        }
    }

    /// Takes a request that `permissions` does not allow, or cannot decide about. `may_go_on` says whether observe mode
    /// extends to it; an error is always enforced.
    pub(super) async fn take(
        &self,
        outcome: Result<&Verdict, &CheckError>,
        permissions: &Arc<Path>,
        request: &Request,
        may_go_on: bool,
    ) -> Consequence {
        let (observations, file) = (Arc::clone(&self.observations), Arc::clone(permissions));
        let looked_up = tokio::task::spawn_blocking(move || observations.of(&file)).await;
        let (host, is_observed) = match looked_up {
            Ok(Some((host, is_observed))) => (Some(host), is_observed),
            Ok(None) | Err(_) => (None, false),
        };
        let id = self.ids.next();
        let denial = Denial {
            at: Timestamp::now(),
            request_id: id.to_string(),
            cause: Cause::of(outcome),
            enforced: outcome.is_err()
                || !is_observed
                || !may_go_on
                || self.observations.may_reach_own_files(request),
            permissions: permissions.to_path_buf(),
            host,
            request: LoggedRequest::of(request),
        };
        if self.ledger.admits(permissions, &denial, Instant::now()) {
            denial.log();
        }
        if denial.enforced {
            Consequence::Refused(id)
        } else {
            Consequence::LetThrough
        }
    }

    /// Says in the log what has changed or was only counted since the last time. Blocking.
    pub(super) fn report(&self) {
        self.observations.look();
        for summary in self.ledger.settle() {
            summary.log();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unlike_one_another_and_tell_no_number() {
        let gateways = [RequestIds::default(), RequestIds::default()];
        let ids: HashSet<String> = gateways
            .iter()
            .flat_map(|ids| (0..1000).map(|_| ids.next().to_string()))
            .collect();
        assert_eq!(ids.len(), 2000);
        assert!(ids.iter().all(|id| is_request_id(id)), "{ids:?}");
        let beginnings: HashSet<&str> = ids.iter().map(|id| &id[..8]).collect();
        assert!(beginnings.len() > 1990, "they are alike: {ids:?}");
        for text in ["", "0", &"g".repeat(32), &"0".repeat(33)] {
            assert!(!is_request_id(text), "{text}");
        }
    }
}

//! How much of everything an extension may use: the policy's numbers, what they may be, and what stands where it says nothing.
//!
//! A number that makes no sense is refused where it stands, so that nobody runs for months with a limit that is none.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};
use tracing::Level;

use super::Grants;
use crate::extensions::output::OutputLog;
use crate::extensions::report;

const MEMORY_MIB: usize = 64;
const TABLE_ELEMENTS: usize = 100_000;
const INSTANCES: NonZeroUsize = NonZeroUsize::new(2).unwrap();
const WATCHDOG: Duration = Duration::from_secs(1);
const BODY_BYTES: u64 = 10 * 1024 * 1024;
const RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const CONCURRENCY: usize = 256;
const EVENTS_PER_SECOND: u32 = 500;
const DISK_CALLS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// One memory of 32-bit addresses has 4 GiB, and an instance may have several.
const MOST_MEMORY_MIB: usize = 64 * 1024;
const MOST_TABLE_ELEMENTS: usize = 10_000_000;
const MOST_INSTANCES: usize = 64;
/// Less ends instances on a busy machine that do nothing wrong; the clock ticks every 10 ms.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(50);
const LONGEST_WATCHDOG: Duration = Duration::from_secs(600);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MOST_CONCURRENCY: usize = 1_000_000;

/// The numbers of a policy, by their keys. Zero is no limit where a comment says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::extensions) struct Limits {
    /// `memory_mib`: all linear memories of one instance together.
    pub(in crate::extensions) memory_mib: usize,
    /// `table_elements`: in all tables of one instance together.
    pub(in crate::extensions) table_elements: usize,
    /// `watchdog_ms`: how long an instance may run without returning to its event loop.
    pub(in crate::extensions) watchdog: Duration,
    /// `max_body_bytes`: the longest request body.
    pub(in crate::extensions) body: Option<u64>,
    /// `max_response_bytes`: the longest answer of a route that is not streaming.
    pub(in crate::extensions) response: Option<u64>,
    /// `request_timeout_seconds`: from the head of a request to the end of its answer, on routes that are not streaming.
    pub(in crate::extensions) request_timeout: Option<Duration>,
    /// `concurrency`: requests in progress at once, open streams included.
    pub(in crate::extensions) concurrency: Option<usize>,
}

impl Grants {
    /// The limits as they are enforced.
    pub(in crate::extensions) fn limits(&self) -> Limits {
        Limits {
            memory_mib: self.memory_mib,
            table_elements: self.table_elements,
            watchdog: Duration::from_millis(self.watchdog_ms),
            body: Some(self.max_body_bytes).filter(|&limit| limit > 0),
            response: Some(self.max_response_bytes).filter(|&limit| limit > 0),
            request_timeout: Some(self.request_timeout_seconds).filter(|limit| !limit.is_zero()),
            concurrency: Some(self.concurrency).filter(|&limit| limit > 0),
        }
    }

    /// The same for people.
    pub(in crate::extensions) fn reported_limits(&self) -> report::Limits {
        report::Limits {
            memory_mib: self.memory_mib,
            table_elements: self.table_elements,
            instances: self.instances.get(),
            watchdog_ms: self.watchdog_ms,
            max_body_bytes: self.max_body_bytes,
            max_response_bytes: self.max_response_bytes,
            request_timeout_seconds: self.request_timeout_seconds.as_secs_f64(),
            concurrency: self.concurrency,
            events_per_second: self.events_per_second,
        }
    }

    /// Without the limits that only somebody else's component needs: the gateway's own may take as long, and do as much, as its
    /// requests do.
    pub(in crate::extensions) fn without_request_limits(self) -> Self {
        Self {
            max_response_bytes: 0,
            request_timeout_seconds: Duration::ZERO,
            concurrency: 0,
            events_per_second: 0,
            ..self
        }
    }
}

/// What stands where the policy says nothing: nothing granted, and limits that do for most.
impl Default for Grants {
    fn default() -> Self {
        Self {
            routes: Default::default(),
            collections: Default::default(),
            topics: Default::default(),
            settings: Default::default(),
            permission_files: super::FilesAccess::None,
            catalog: false,
            upstreams: Vec::new(),
            memory_mib: MEMORY_MIB,
            table_elements: TABLE_ELEMENTS,
            instances: INSTANCES,
            watchdog_ms: milliseconds(WATCHDOG),
            max_body_bytes: BODY_BYTES,
            max_response_bytes: RESPONSE_BYTES,
            request_timeout_seconds: REQUEST_TIMEOUT,
            concurrency: CONCURRENCY,
            events_per_second: EVENTS_PER_SECOND,
            disk_calls: DISK_CALLS,
        }
    }
}

/// Says that a limit has been reached, and where it stands.
pub(in crate::extensions) fn report_reached(
    output: &Arc<OutputLog>,
    what: &str,
    key: &str,
    value: impl Display,
) {
    output.remark(Level::WARN, &format!("{what}: {}", limit(key, value)));
}

/// Names a limit, for whoever could change it.
pub(in crate::extensions) fn limit(key: &str, value: impl Display) -> String {
    format!("the limit is `{key} = {value}`, which its policy may change")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn memory_mib<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within("memory_mib", 1, MOST_MEMORY_MIB, usize::deserialize(from)?)
}

pub(super) fn table_elements<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let elements = usize::deserialize(from)?;
    within("table_elements", 1, MOST_TABLE_ELEMENTS, elements)
}

pub(super) fn instances<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroUsize, D::Error> {
    let instances = usize::deserialize(from)?;
    let instances = within("instances", 1, MOST_INSTANCES, instances)?;
    NonZeroUsize::new(instances).ok_or_else(|| D::Error::custom("`instances` is 0"))
}

pub(super) fn watchdog_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let (least, most) = (SHORTEST_WATCHDOG, LONGEST_WATCHDOG);
    let (least, most) = (milliseconds(least), milliseconds(most));
    within("watchdog_ms", least, most, u64::deserialize(from)?)
}

pub(super) fn concurrency<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let concurrency = usize::deserialize(from)?;
    within("concurrency", 0, MOST_CONCURRENCY, concurrency)
}

/// Seconds, with or without a fraction; zero is no limit.
pub(super) fn request_timeout<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    if seconds == 0.0 {
        return Ok(Duration::ZERO);
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|timeout| (SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(timeout))
        .ok_or_else(|| {
            D::Error::custom(format_args!(
                "`request_timeout_seconds` is {seconds}: it must be 0 (no limit) or from {} to {}",
                SHORTEST_TIMEOUT.as_secs_f64(),
                LONGEST_TIMEOUT.as_secs()
            ))
        })
}

fn within<T: PartialOrd + Display, E: Error>(
    key: &str,
    least: T,
    most: T,
    value: T,
) -> Result<T, E> {
    if (&least..=&most).contains(&&value) {
        return Ok(value);
    }
    Err(E::custom(format_args!(
        "`{key}` is {value}: it must be from {least} to {most}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(policy: &str) -> Grants {
        toml::from_str(policy).unwrap_or_else(|error| panic!("{policy}: {error}"))
    }

    #[test]
    fn every_limit_can_be_set() {
        let grants = parsed(
            "memory_mib = 7\ntable_elements = 8\ninstances = 9\nwatchdog_ms = 100\nmax_body_bytes = 11\n\
             max_response_bytes = 12\nrequest_timeout_seconds = 1.5\nconcurrency = 14\nevents_per_second = 15",
        );
        assert_eq!(
            grants.limits(),
            Limits {
                memory_mib: 7,
                table_elements: 8,
                watchdog: Duration::from_millis(100),
                body: Some(11),
                response: Some(12),
                request_timeout: Some(Duration::from_millis(1500)),
                concurrency: Some(14),
            }
        );
        let reported = grants.reported_limits();
        assert_eq!(
            (reported.instances, reported.request_timeout_seconds),
            (9, 1.5)
        );
        assert_eq!(grants.events_per_second, 15);
    }

    #[test]
    fn zero_is_no_limit_where_there_need_be_none() {
        let grants = parsed(
            "max_body_bytes = 0\nmax_response_bytes = 0\nrequest_timeout_seconds = 0\nconcurrency = 0",
        );
        let limits = grants.limits();
        assert_eq!(limits.body, None);
        assert_eq!(limits.response, None);
        assert_eq!(limits.request_timeout, None);
        assert_eq!(limits.concurrency, None);
    }

    #[test]
    fn what_is_not_set_is_limited() {
        let limits = parsed("").limits();
        assert_eq!(limits, Grants::default().limits());
        assert!(limits.body.is_some() && limits.response.is_some());
        assert!(limits.request_timeout.is_some() && limits.concurrency.is_some());
    }

    #[test]
    fn a_number_without_sense_is_refused_with_its_key() {
        for policy in [
            "memory_mib = 0",
            "memory_mib = 1000000",
            "memory_mib = -1",
            "table_elements = 0",
            "instances = 0",
            "instances = 65",
            "watchdog_ms = 0",
            "watchdog_ms = 9",
            "watchdog_ms = 600001",
            "max_body_bytes = -1",
            "max_response_bytes = \"all\"",
            "request_timeout_seconds = -1",
            "request_timeout_seconds = 0.001",
            "request_timeout_seconds = nan",
            "request_timeout_seconds = inf",
            "request_timeout_seconds = 1e9",
            "concurrency = -3",
            "concurrency = 1000001",
        ] {
            let error = toml::from_str::<Grants>(policy).unwrap_err();
            let key = policy.split(' ').next().unwrap();
            let span = error.span().unwrap_or_default();
            let named = error.message().contains(key)
                || policy[span.clone()].contains(&policy[policy.len() - 1..]);
            assert!(named && !span.is_empty(), "{policy}: {error}");
        }
    }
}

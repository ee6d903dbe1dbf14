//! The harness of the end-to-end tests: a gateway of its own for each test, and everyone who talks to it.
//!
//! ```no_run
//! # use end_to_end::{Gateway, ask};
//! # async fn story() {
//! let gateway = Gateway::start().await;
//! let agent = gateway.agent("a").await;
//! let request = agent.post("/permission-requests", ask("slack-api", ["slack-read-all"])).await.expect(201);
//! gateway.admin().approve(request.id()).await.expect(200);
//! # }
//! ```
//!
//! Nothing is shared with the program but its interfaces: the binary, HTTP, files. What does not happen within [`PATIENCE`]
//! counts as never; nothing waits by sleeping. Whatever goes wrong panics where the test called, with what the gateway logged.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness fails by panicking, with a message that says what was expected"
)]

mod binary;
mod caller;
mod command;
mod compile_cache;
mod components;
#[cfg(target_os = "linux")]
mod crash_points;
#[cfg(target_os = "linux")]
pub mod discovery;
mod follow;
mod gateway;
mod graft;
mod home;
mod message;
mod minds_api;
#[cfg(target_os = "linux")]
mod mngr;
#[cfg(target_os = "linux")]
mod namespace;
mod pattern;
mod process;
#[cfg(target_os = "linux")]
mod process_list;
mod program;
mod raw;
mod requests;
#[cfg(target_os = "linux")]
mod resident;
#[cfg(target_os = "linux")]
mod ssh_keys;
#[cfg(target_os = "linux")]
mod sshd;
#[cfg(target_os = "linux")]
mod supervisor;
#[cfg(target_os = "linux")]
mod system;
mod tokens;
mod upstream;
mod webdav;
mod wire;

use std::time::Duration;

pub use binary::path as program;
pub use caller::{Agent, Answer, Caller, RequestBuilder};
pub use command::{Cli, Outcome};
pub use components::component;
#[cfg(target_os = "linux")]
pub use crash_points::{CrashPoint, Interposer, Side};
pub use follow::Follow;
pub use gateway::{Gateway, GatewayOptions};
pub use graft::{CoreModule, graft, nested};
pub use home::{Home, mode, read_json};
pub use message::Message;
pub use minds_api::MindsApi;
#[cfg(target_os = "linux")]
pub use mngr::{Mngr, Start};
#[cfg(target_os = "linux")]
pub use namespace::Namespace;
pub use pattern::{Pattern, Tally};
pub use process::Process;
#[cfg(target_os = "linux")]
pub use process_list::{
    Listed, descendants, is_running, most_memory, processes, processes_that_name, processor_time,
    resident_memory,
};
pub use program::{Ended, Program, Running};
pub use raw::{Raw, RawAnswer};
pub use requests::{AGENT, ask, share};
#[cfg(target_os = "linux")]
pub use resident::{Call, Calls, Reply, Resident};
#[cfg(target_os = "linux")]
pub use ssh_keys::{KeyKind, SshKey, known_hosts_name};
#[cfg(target_os = "linux")]
pub use sshd::{Sshd, SshdOptions};
#[cfg(target_os = "linux")]
pub use supervisor::{
    Supervisor, SupervisorOptions, agent_of, caller_of, end_all_of, gateway_of, record,
};
pub use tokens::Keys;
pub use upstream::{
    Authority, Connection, Feed, Gate, KEY, Script, UPSTREAM_KEY, UPSTREAM_URL, Upstream,
};
pub use webdav::WebDav;
pub use wire::Wire;

/// How long to wait for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits `event`, or panics with `what` once patience has run out.
///
/// # Panics
/// When it does not happen.
pub async fn within_patience<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(result) => result,
        Err(_) => panic!("{what}: did not happen within {PATIENCE:?}"),
    }
}

/// Polls `condition` until it holds. For what nothing signals.
///
/// # Panics
/// When it does not come true within [`PATIENCE`].
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, what, condition).await;
}

/// The same for what may take longer.
///
/// # Panics
/// When it does not come true within `limit`.
pub async fn eventually_within(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(limit, polling).await.is_err() {
        panic!("{what}: did not happen within {limit:?}");
    }
}

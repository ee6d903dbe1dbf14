//! `forward`: the process that an operator leaves running, its gateway, its discovery and its end (contract section 6).

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod discovery;
mod embedding;
mod end;
mod files;
mod gateway;
mod load;
mod logs;
mod naming;
mod ownership;
mod secrets;
mod snapshots;
mod status;

use end_to_end::{Cli, Home, Process, is_running, record};

/// Starts another supervisor in a home and awaits that it has the record.
async fn start_bare(command: Cli, home: &Home) -> Process {
    let process = command.start();
    end_to_end::eventually("the record names the supervisor", async || {
        std::fs::read_to_string(record(home))
            .is_ok_and(|text| text.contains(&process.id().to_string()))
    })
    .await;
    assert!(is_running(process.id()), "{}", process.stderr());
    process
}

//! The tunnels from agent hosts to the gateway, over real SSH: each host is a network namespace with an sshd and a
//! 127.0.0.1:1989 of its own (contract section 6).

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod crowd;
mod departures;
mod host;
mod host_keys;
mod keys;
mod outages;
mod predecessors;
mod reach;
mod real_mngr;
mod separation;
mod shown;
mod streams;

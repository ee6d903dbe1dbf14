//! `mngr-latchkey extension`: what it shows of gateways that run and of a directory where none does, and what it changes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

#[cfg(target_os = "linux")]
mod crashing;
mod inspecting;
mod listing;
mod logs;
mod reloading;
mod removing;
mod socket;
mod stage;
mod switching;

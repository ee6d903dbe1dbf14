//! Programs that people really use, with an agent's token, through the running gateway to a real server: curl, Python's
//! `requests`, Node's `fetch`, cadaver. What each of them needs is installed by `tests/run`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod curl;
mod event_streams;
mod gigabytes;
mod scripts;
mod stage;
mod webdav;

//! `permissions` and `catalog`: asking, explaining, testing and changing a policy on the command line.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod cases;
mod catalog;
mod check;
mod denials;
mod explain;
mod grants;
mod lint;
mod observe;

//! Every gate: refused without its grant, open with exactly its grant.
//!
//! What there is to open comes from the WIT, and the keys of a policy from the gateway itself, so that neither can be forgotten
//! here: a function without an answer does not compile, a key without one fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod documents;
mod edits;
mod functions;
mod keys;
mod limits;
mod routes;
mod stage;
mod table;
mod upstreams;

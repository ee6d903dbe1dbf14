//! Nobody's bytes become another request: attacks over bare connections, through the gateway, on an upstream that keeps every
//! byte. Two agents are in play; after each attack [`Scene`] asserts what must hold whatever was sent.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod bodies;
mod chunks;
mod crowd;
mod departures;
mod framing;
mod headers;
mod origins;
mod paths;
mod pipelining;
mod random;
mod responses;
mod scene;
mod watchfulness;

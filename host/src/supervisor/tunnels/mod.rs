//! Reverse SSH tunnels: `127.0.0.1:1989` on each agent host leads to the gateway.
//!
//! One connection a host, made again for ever, shared by the host's agents; one task a host, so that the trouble of one is
//! its own. [`TunnelManager`] is told which agent needs what, and tells how far it has come. "Up" means that the host
//! listens; "verified" that a request was seen to go all the way.
//!
//! A word's way: `manager` writes down what is `wanted`; the `host`'s task asks its machine for the next step and takes
//! it over a `link`, which is `ssh` in earnest; what came of it is reported as `status`.

pub mod algorithms;
mod backlog;
mod connection;
mod host;
pub mod known_hosts;
mod link;
mod manager;
pub mod predecessor;
pub mod private_key;
mod probe;
mod relay;
mod remote_command;
mod sessions;
mod spill;
mod ssh;
mod status;
mod wanted;

pub use self::link::Forward;
pub use self::manager::{StatusChanges, TunnelManager};
pub use self::predecessor::SessionIdentity;
pub use self::sessions::{PredecessorStore, RememberedSessions};
pub use self::status::{HostStatus, Progress, TunnelState, Verified};

//! Reverse SSH tunnels: `127.0.0.1:1989` on each agent host leads to the gateway.

pub mod algorithms;
pub mod known_hosts;
pub mod predecessor;
pub mod private_key;

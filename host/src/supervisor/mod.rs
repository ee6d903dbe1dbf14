//! `forward`: the process that owns the gateway and keeps every discovered agent connected to it.
//!
//! One supervisor a latchkey directory. It binds the gateway's socket and hands it to a child, follows mngr's discovery of
//! agents, and keeps a reverse tunnel to the host of each. What fails is started again; nothing but a signal ends it.

pub mod discovery;
pub mod ssh_info;
pub mod tunnels;

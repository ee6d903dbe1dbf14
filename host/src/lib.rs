//! A permission gateway for AI agents, with extensions as sandboxed WebAssembly components.
//!
//! Layers, each knowing only those after it: `cli` → `supervisor` → `gateway` → `extensions` → `permissions` → `store`.

pub mod cli;
pub mod extensions;
pub mod gateway;
pub mod logging;
pub mod permissions;
pub mod store;
pub mod supervisor;

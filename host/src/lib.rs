//! A permission gateway for AI agents, with extensions as sandboxed WebAssembly components.
//!
//! Layers, each knowing only those after it: `cli` → `supervisor` → `gateway` → `extensions` → `permissions` → `store`;
//! `grants`, which the command line edits permissions files with, stands upon `permissions`.

pub mod cli;
pub mod extensions;
pub mod gateway;
pub mod grants;
pub mod logging;
pub mod permissions;
pub mod store;
pub mod supervisor;

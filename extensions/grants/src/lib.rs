//! What granting adds to a permissions file, and how it is added.
//!
//! The extension `permission-requests` approves with this and the command line grants with it, so that both leave the same
//! bytes. Pure: nothing here reads or writes a file, and whether the result can be decided by is for the engine to say.

mod effect;
mod file_sharing;
mod merge;

pub use effect::{Effect, InvalidEffect};
pub use file_sharing::{Access, InvalidPath, SharedPath, SharingName};
pub use merge::{Members, Unmergeable, empty, merge, parse};

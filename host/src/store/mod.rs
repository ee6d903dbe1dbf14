//! Files and secrets: everything that mngr-latchkey keeps, and the only place that knows where and how.
//!
//! Promises: a write that returned is on disk (`durable`); two writers of one permissions file, in whatever processes,
//! never lose each other's edit (`permissions_file`, `lock`); a handle never goes missing while it is linked
//! (`handles`); a secret never appears in a `Debug`, a log line or an error (`keys`, `tokens`).
//!
//! Everything here blocks. Asynchronous callers run it on a blocking thread.

pub mod baseline;
pub mod boundary;
pub mod collection;
mod directory_sync;
pub mod durable;
pub mod grants;
pub mod handles;
pub mod hosts;
pub mod ids;
pub mod keys;
pub mod lock;
pub mod observe;
pub mod paths;
pub mod permissions_file;
pub mod process;
mod random;
pub mod record;
pub mod stamp;
pub mod tokens;

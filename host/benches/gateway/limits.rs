//! How many files may be open: every connection is one, at both of its ends.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;

/// Enough for everything that is measured here.
const WANTED: u64 = 65_536;

/// Raises the limit as far as the system lets it, for this process and those that it starts.
pub fn raise_open_files() -> Outcome<()> {
    let before = getrlimit(Resource::Nofile);
    let everything = Rlimit {
        current: Some(WANTED),
        maximum: Some(before.maximum.unwrap_or(WANTED).max(WANTED)),
    };
    // Above the hard limit only the privileged get.
    if setrlimit(Resource::Nofile, everything).is_err() {
        let allowed = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, allowed)?;
    }
    Ok(())
}

/// The limit as it is.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

//! Why a permissions file cannot decide a request.

use std::path::PathBuf;

use super::schema::Fault;

/// A permission check that has no answer. Displayed, it is the detail that a client gets: it names the file, the schema or
/// the hook, says what is wrong with it, and holds nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A file is there and cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Unreadable { path: PathBuf, problem: String },
    /// A file is no JSON.
    #[error("{} is not valid JSON: {problem}", path.display())]
    NotJson { path: PathBuf, problem: String },
    /// A file is JSON, but no permissions file.
    #[error("{} is not a permissions file: {place} {problem}", path.display())]
    Malformed {
        path: PathBuf,
        /// Where in the file, as a JSON pointer after `#`.
        place: String,
        problem: String,
    },
    /// A file includes itself, directly or through others.
    #[error(
        "files include one another in a circle: {}; remove one of these includes",
        join(chain)
    )]
    CircularInclude { chain: Vec<PathBuf> },
    /// More files than anybody includes on purpose.
    #[error("{} includes more than {limit} files", path.display())]
    TooManyIncludes { path: PathBuf, limit: usize },
    /// A rule names a schema that is neither defined nor built in.
    #[error("unknown schema {name:?} in rule {index} of {}: define it under \"schemas\" or correct the name", path.display())]
    UnknownSchema {
        path: PathBuf,
        /// Counted from 0 within its file.
        index: usize,
        name: String,
    },
    /// A schema that a rule uses cannot be evaluated.
    #[error("schema {:?} (used through {}) is unusable: {}", fault.schema, path.display(), fault.detail)]
    UnusableSchema { path: PathBuf, fault: Fault },
    /// A hook could not be run, was killed, or reported an error.
    #[error("hook {hook:?} in rule {index} of {} {problem}", path.display())]
    Hook {
        path: PathBuf,
        index: usize,
        hook: String,
        problem: String,
    },
    /// The check itself did not come to an end.
    #[error("the check was interrupted: {0}")]
    Interrupted(String),
}

fn join(chain: &[PathBuf]) -> String {
    chain
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(" -> ")
}

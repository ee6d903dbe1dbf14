//! The control socket: how `mngr-latchkey extension` speaks to the gateways of its latchkey directory.
//!
//! Each gateway listens at `<latchkey directory>/extensions/control-<pid>.sock`, which this user alone may open, and never on the
//! network. A request is one line of JSON, its answer is one line of JSON, and a connection may carry several, one after the
//! other. A line that is no request is answered with what is wrong with it, and ends the connection, as silence does without
//! an answer. A gateway that cannot have a socket says so in its log, and serves without one.

mod client;
mod line;
mod server;
mod socket;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::client::{AskError, Asked, ask};
pub(super) use self::server::Control;
use crate::extensions::report::{ExtensionReport, Reloaded};

/// What a gateway may be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How every extension stands.
    List {},
    /// To take what stands in the extensions directory: the named extension, also when it is what serves, or whatever has changed.
    Reload {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        extension: Option<String>,
    },
}

/// A gateway's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    #[serde(flatten)]
    pub gateway: Respondent,
    #[serde(flatten)]
    pub reply: Reply,
}

/// Who answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Respondent {
    pub pid: u32,
    /// When it began to serve.
    pub started_at: Timestamp,
    /// Of the program.
    pub version: String,
}

/// What there is to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    Extensions(Vec<ExtensionReport>),
    Reloaded(Vec<Reloaded>),
    /// The line was no request, or what it asks for cannot be done at all, for this reason.
    Error(String),
}

#[cfg(test)]
mod tests;

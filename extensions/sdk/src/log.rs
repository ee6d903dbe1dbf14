//! The gateway's log. Every line carries the extension's name; the gateway removes control characters. Must not be given
//! secrets.

use crate::bindings::mngr::gateway::log as wit;

/// What only a developer of the extension wants, in full.
pub fn trace(message: &str) {
    wit::log(wit::Level::Trace, message);
}

/// What helps to find out why something happened.
pub fn debug(message: &str) {
    wit::log(wit::Level::Debug, message);
}

/// What an operator wants to see on a normal day.
pub fn info(message: &str) {
    wit::log(wit::Level::Info, message);
}

/// What went wrong and was coped with.
pub fn warn(message: &str) {
    wit::log(wit::Level::Warn, message);
}

/// What went wrong and needs somebody.
pub fn error(message: &str) {
    wit::log(wit::Level::Error, message);
}

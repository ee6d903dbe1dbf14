//! The gateway's settings. Needs [`Manifest::with_setting`](crate::Manifest::with_setting) for each name.

use crate::bindings::mngr::gateway::settings as wit;

/// The value now; none when it is unset, empty or not granted to this extension.
pub fn get(name: &str) -> Option<String> {
    wit::get(name)
}

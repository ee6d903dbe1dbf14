//! Which process on a host served our last connection to it. It may still hold the port when that connection has died
//! without a farewell; knowing it is what allows to end it, and no other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::predecessor::SessionIdentity;
use crate::store::ids::HostId;

/// Remembers one session a host. Methods may block; they are called where that is allowed.
///
/// What cannot be kept is lost silently: then a held port is waited for instead of freed.
pub trait PredecessorStore: Send + Sync + 'static {
    /// The session that was stored last.
    fn load(&self, host: &HostId) -> Option<SessionIdentity>;
    /// Replaces what was stored.
    fn store(&self, host: &HostId, session: &SessionIdentity);
    /// The host is gone, or nothing is left to free.
    fn forget(&self, host: &HostId);
}

/// Remembers for as long as the process lives: enough for interrupted connections, not for a crash.
#[derive(Debug, Default)]
pub struct RememberedSessions {
    sessions: Mutex<HashMap<HostId, SessionIdentity>>,
}

impl RememberedSessions {
    fn sessions(&self) -> MutexGuard<'_, HashMap<HostId, SessionIdentity>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PredecessorStore for RememberedSessions {
    fn load(&self, host: &HostId) -> Option<SessionIdentity> {
        self.sessions().get(host).cloned()
    }

    fn store(&self, host: &HostId, session: &SessionIdentity) {
        self.sessions().insert(host.clone(), session.clone());
    }

    fn forget(&self, host: &HostId) {
        self.sessions().remove(host);
    }
}

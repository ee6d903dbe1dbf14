//! The forwards of one connection: the only places that its host can reach.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By port on the host.
#[derive(Debug, Default)]
pub(super) struct Forwards(Mutex<HashMap<u16, Forward>>);

#[derive(Debug)]
struct Forward {
    target: SocketAddr,
    /// The host has agreed.
    stands: bool,
    arrived: u64,
}

/// What was known of a port before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// The host was asked; its answer is not known.
    Asked,
    /// The host listens.
    Stood,
}

impl Forwards {
    /// From now on the port leads to `target`: connections may come before the host's answer is read.
    pub(super) fn ask(&self, remote_port: u16, target: SocketAddr) -> Before {
        match self.lock().entry(remote_port) {
            Entry::Vacant(vacant) => {
                vacant.insert(Forward {
                    target,
                    stands: false,
                    arrived: 0,
                });
                Before::Nothing
            }
            Entry::Occupied(mut occupied) => {
                let forward = occupied.get_mut();
                forward.target = target;
                if forward.stands {
                    Before::Stood
                } else {
                    Before::Asked
                }
            }
        }
    }

    /// The host has agreed.
    pub(super) fn stands(&self, remote_port: u16) {
        if let Some(forward) = self.lock().get_mut(&remote_port) {
            forward.stands = true;
        }
    }

    pub(super) fn remove(&self, remote_port: u16) {
        self.lock().remove(&remote_port);
    }

    /// Counts a connection to the port, and says where it leads; `None` when nothing was asked for there.
    pub(super) fn arrive(&self, remote_port: u32) -> Option<SocketAddr> {
        let mut forwards = self.lock();
        let forward = forwards.get_mut(&u16::try_from(remote_port).ok()?)?;
        forward.arrived += 1;
        Some(forward.target)
    }

    /// How many connections to the port came so far.
    pub(super) fn arrived(&self, remote_port: u16) -> Option<u64> {
        self.lock().get(&remote_port).map(|forward| forward.arrived)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Forward>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registered_port_leads_somewhere() {
        let forwards = Forwards::default();
        let gateway = SocketAddr::from(([127, 0, 0, 1], 4000));
        forwards.ask(1989, gateway);
        assert_eq!(forwards.arrive(1989), Some(gateway));
        assert_eq!(forwards.arrive(4000), None);
        assert_eq!(forwards.arrive(1989 + 65536), None, "not cut to 16 bits");
        forwards.remove(1989);
        assert_eq!(forwards.arrive(1989), None);
    }

    #[test]
    fn a_port_that_stands_is_not_asked_for_again() {
        let forwards = Forwards::default();
        let gateway = SocketAddr::from(([127, 0, 0, 1], 4000));
        let next = SocketAddr::from(([127, 0, 0, 1], 4001));
        assert_eq!(forwards.ask(1989, gateway), Before::Nothing);
        assert_eq!(forwards.ask(1989, gateway), Before::Asked);
        forwards.stands(1989);
        assert_eq!(forwards.ask(1989, next), Before::Stood);
        assert_eq!(
            forwards.arrive(1989),
            Some(next),
            "the newest target counts"
        );
    }

    #[test]
    fn arrivals_are_counted_for_each_port() {
        let forwards = Forwards::default();
        let gateway = SocketAddr::from(([127, 0, 0, 1], 4000));
        forwards.ask(1989, gateway);
        forwards.ask(1990, gateway);
        forwards.arrive(1990);
        assert_eq!(
            (forwards.arrived(1989), forwards.arrived(1990)),
            (Some(0), Some(1))
        );
        assert_eq!(forwards.arrived(1991), None);
    }
}

//! Which hosts and agents there are: what the supervisor says, where it speaks of all of them.

use crate::cli::failure::Failure;
use crate::permissions::lint::Presence;
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;
use crate::supervisor::Status;
use crate::supervisor::discovery::ObserveState;

pub(super) fn of(directory: &LatchkeyDirectory) -> Result<Presence, Failure> {
    let record = Record::load(&directory.record()).map_err(Failure::failed)?;
    let Some(record) = record.filter(|record| record.is_alive(directory)) else {
        return Ok(unknown("no supervisor runs for this latchkey directory"));
    };
    let status = Status::load(directory, &record).map_err(Failure::failed)?;
    Ok(match status {
        None => unknown("the supervisor has not said anything about itself yet"),
        Some(status) => of_status(&status),
    })
}

/// The status names the agents that have a tunnel, and counts them all.
fn of_status(status: &Status) -> Presence {
    let discovery = &status.discovery;
    let is_following = matches!(discovery.observe, ObserveState::Running { .. });
    if !is_following || discovery.last_event_at.is_none() {
        return unknown("the supervisor hears nothing from mngr");
    }
    let named: usize = status.hosts.iter().map(|host| host.agents.len()).sum();
    if named != discovery.agents {
        return unknown(
            "the supervisor knows agents that need no tunnel, and does not say on which hosts",
        );
    }
    let hosts = status.hosts.iter();
    Presence::Known(
        hosts
            .map(|host| (host.host.clone(), host.agents.iter().cloned().collect()))
            .collect(),
    )
}

fn unknown(reason: &str) -> Presence {
    Presence::Unknown(reason.to_owned())
}

//! A status as text for people: what runs in the first lines, then a block a host.

use std::fmt::{self, Write};

use jiff::{SignedDuration, Timestamp};

use super::super::times::ago;
use crate::supervisor::discovery::{DiscoveryStatus, ObserveState};
use crate::supervisor::tunnels::{HostStatus, TunnelState, Verified};
use crate::supervisor::{GatewayState, GatewayStatus, HEARTBEAT, Status};

/// A supervisor that is well is never silent for so long.
const SILENCE: SignedDuration = HEARTBEAT.saturating_mul(2);

/// As it is at `now`; ends with a line end.
pub(super) fn text(status: &Status, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, status, now);
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

fn write(to: &mut String, status: &Status, now: Timestamp) -> fmt::Result {
    writeln!(
        to,
        "supervisor  running for {} (pid {}, version {})",
        ago(status.started_at, now),
        status.pid,
        status.version
    )?;
    if now.duration_since(status.written_at) > SILENCE {
        writeln!(
            to,
            "            it has not said anything for {}: what follows may not be true any more",
            ago(status.written_at, now)
        )?;
    }
    gateway(to, &status.gateway, &status.gateway_url, now)?;
    discovery(to, &status.discovery, now)?;
    let up = |host: &&HostStatus| host.progress.state == TunnelState::Up;
    writeln!(
        to,
        "tunnels     {} of {} up",
        status.hosts.iter().filter(up).count(),
        status.hosts.len()
    )?;
    for one in &status.hosts {
        host(to, one, now)?;
    }
    Ok(())
}

fn gateway(to: &mut String, gateway: &GatewayStatus, url: &str, now: Timestamp) -> fmt::Result {
    let state = match gateway.state {
        GatewayState::Starting => "starting",
        GatewayState::Serving => "serving",
        GatewayState::Waiting => "down",
        GatewayState::Stopping => "stopping",
    };
    write!(to, "gateway     {state} for {}", ago(gateway.since, now))?;
    match gateway.pid {
        Some(pid) => write!(to, " at {url} (pid {pid})")?,
        None => write!(to, ", {url}")?,
    }
    if let Some(at) = gateway.next_attempt {
        write!(to, ", next attempt {}", until(at, now))?;
    }
    writeln!(to)?;
    match &gateway.last_error {
        Some(error) => writeln!(
            to,
            "            replaced {} times, last because {error}",
            gateway.failures
        ),
        None => Ok(()),
    }
}

fn discovery(to: &mut String, discovery: &DiscoveryStatus, now: Timestamp) -> fmt::Result {
    let agents = discovery.agents;
    match &discovery.observe {
        ObserveState::Running { since } => {
            write!(to, "discovery   mngr runs for {}", ago(*since, now))?;
            match discovery.last_event_at {
                Some(at) => write!(to, ", said something {} ago", ago(at, now))?,
                None => write!(to, ", has not said anything yet")?,
            }
        }
        ObserveState::Waiting { until: at, error } => {
            write!(
                to,
                "discovery   mngr is started again {}: {error}",
                until(*at, now)
            )?;
        }
        ObserveState::NotInstalled => write!(to, "discovery   mngr is not installed")?,
        ObserveState::Starting => write!(to, "discovery   starting")?,
        ObserveState::Stopped => write!(to, "discovery   stopped")?,
    }
    writeln!(to, "; {agents} agents known")
}

fn host(to: &mut String, host: &HostStatus, now: Timestamp) -> fmt::Result {
    let progress = &host.progress;
    write!(
        to,
        "\n{}  {}\n  {} for {}",
        host.host,
        host.address,
        progress.state,
        ago(progress.since, now)
    )?;
    if progress.state == TunnelState::Up {
        match (progress.verified, progress.last_verified) {
            (Verified::Yes, Some(at)) => {
                write!(to, ", a request went through {} ago", ago(at, now))?;
            }
            (Verified::Yes | Verified::No, _) => write!(to, ", no request went through yet")?,
            (Verified::NotPermitted, _) => write!(to, ", the host does not let it be tried")?,
        }
    }
    if let Some(at) = progress.next_attempt {
        write!(to, ", next attempt {}", until(at, now))?;
    }
    writeln!(to)?;
    if let Some(error) = &progress.last_error {
        write!(to, "  last error: {error}")?;
        match progress.last_error_at {
            Some(at) => writeln!(to, " ({} ago)", ago(at, now))?,
            None => writeln!(to)?,
        }
    }
    for agent in &host.agents {
        writeln!(to, "  {agent}")?;
    }
    Ok(())
}

fn until(at: Timestamp, now: Timestamp) -> String {
    if at <= now {
        "now".to_owned()
    } else {
        format!("in {}", ago(now, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_servers_say_cannot_command_the_terminal() {
        let now = time("2026-01-01T00:00:00Z");
        let status: Status = serde_json::from_value(serde_json::json!({
            "pid": 7, "started_at": now, "written_at": now, "version": "1", "gateway_url": "http://127.0.0.1:4000",
            "gateway": {"state": "serving", "since": now, "pid": 8, "failures": 0, "last_error": null, "next_attempt": null},
            "discovery": {"observe": {"state": "not_installed"}, "agents": 1, "last_event_at": null},
            "hosts": [{
                "host": "host-11111111111111111111111111111111", "address": "root@h:22",
                "agents": ["agent-11111111111111111111111111111111"],
                "state": "waiting", "since": now, "attempts": 2, "next_attempt": "2026-01-01T00:00:09Z",
                "last_error": "denied\u{1b}[2J", "last_error_at": now, "verified": false, "last_verified": null,
            }],
        }))
        .unwrap();
        let text = text(&status, now);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        for expected in [
            "supervisor  running for 0 s (pid 7, version 1)\n",
            "gateway     serving for 0 s at http://127.0.0.1:4000 (pid 8)\n",
            "discovery   mngr is not installed; 1 agents known\n",
            "tunnels     0 of 1 up\n",
            "  waiting for 0 s, next attempt in 9 s\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}

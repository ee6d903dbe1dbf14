//! Our side: the library's tunnels, in a process that does nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mngr_latchkey::store::ids::{AgentId, HostId};
use mngr_latchkey::supervisor::ssh_info::SshInfo;
use mngr_latchkey::supervisor::tunnels::{Forward, RememberedSessions, TunnelManager, TunnelState};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::Outcome;
use crate::role::Process;
use crate::sshd::Sshd;

/// The argument that turns the benchmark into this process.
pub const ARGUMENT: &str = "serve-tunnels";

const READY: &str = "up";
const POLL: Duration = Duration::from_millis(20);

/// What the process is to do; it comes on its standard input.
#[derive(Serialize, Deserialize)]
struct Wanted {
    user: String,
    address: SocketAddr,
    key_path: PathBuf,
    spill: PathBuf,
    target: SocketAddr,
    /// A connection for each.
    remote_ports: Vec<u16>,
}

/// Starts the process: ready when every port leads to `target`.
pub async fn start(sshd: &Sshd, target: SocketAddr, remote_ports: Vec<u16>) -> Outcome<Process> {
    let wanted = Wanted {
        user: sshd.user().to_owned(),
        address: sshd.address(),
        key_path: sshd.key(),
        spill: sshd.spill()?,
        target,
        remote_ports,
    };
    let input = serde_json::to_vec(&wanted)?;
    let (process, _) = Process::in_role(ARGUMENT, &input, READY).await?;
    Ok(process)
}

/// Keeps the tunnels until it is killed. Blocks.
pub fn serve() -> Outcome<()> {
    let wanted: Wanted = serde_json::from_reader(std::io::stdin().lock())?;
    // The supervisor's.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(keep(wanted))
}

async fn keep(wanted: Wanted) -> Outcome<()> {
    let sessions = Arc::new(RememberedSessions::default());
    let manager = TunnelManager::new(Handle::current(), wanted.spill, sessions);
    let ssh = SshInfo {
        user: wanted.user,
        host: wanted.address.ip().to_string(),
        port: wanted.address.port(),
        key_path: wanted.key_path,
        known_hosts_path: None,
    };
    for remote_port in wanted.remote_ports {
        // To the manager they are as many hosts.
        let agent = AgentId::parse(&format!("agent-{remote_port:032x}"))?;
        let host = HostId::parse(&format!("host-{remote_port:032x}"))?;
        let forward = Forward {
            remote_port,
            target: wanted.target,
        };
        manager.forward(agent, host, ssh.clone(), forward);
    }
    loop {
        let tunnels = manager.status();
        for tunnel in &tunnels {
            if let (TunnelState::Refused, Some(error)) =
                (tunnel.progress.state, &tunnel.progress.last_error)
            {
                return Err(error.clone().into());
            }
        }
        if tunnels
            .iter()
            .all(|tunnel| tunnel.progress.state == TunnelState::Up)
        {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    eprintln!("{READY}");
    std::future::pending().await
}

//! From a host's name to an authenticated connection, each step with its deadline.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_ok;
use russh::client::{AuthResult, Config, Handle, connect_stream};
use russh::{Limits, SshId};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{ConnectError, Disconnected, Phase, printable};
use super::handler::{Events, Failure};
use super::shared::Shared;
use super::wire::Wire;
use super::{QUEUE, WINDOW};
use crate::supervisor::ssh_info::SshInfo;
use crate::supervisor::tunnels::algorithms;
use crate::supervisor::tunnels::known_hosts::KnownHosts;
use crate::supervisor::tunnels::private_key::Identity;

/// For the TCP connection, the resolution of the name included.
const CONNECT: Duration = Duration::from_secs(10);

/// The next address of a host is tried after this, beside those before it.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);

/// For everything that follows.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// A host that has said nothing for this long is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How many such questions may stay without an answer.
const UNANSWERED: usize = 3;

/// Ends a connection whose writes are blocked, during which nobody asks.
const INACTIVITY: Duration = Duration::from_secs(60);

/// What fits the packets of OpenSSH.
const PACKET: u32 = 32 * 1024;

/// New keys are left to the host to ask for, which OpenSSH does after 64 GiB (with AES). When this side asks, the
/// library ends the connection if more than two windows come before the host's answer: three busy channels are enough.
const LIMITS: Limits = Limits {
    rekey_write_limit: REKEY,
    rekey_read_limit: REKEY,
    rekey_time_limit: Duration::MAX,
};

/// 128 GiB, where that can be counted.
const REKEY: usize = if usize::BITS > 37 {
    1 << 37
} else {
    usize::MAX
};

pub(super) async fn open(
    ssh: &SshInfo,
    shared: &Arc<Shared>,
    cut: CancellationToken,
) -> Result<Handle<Events>, ConnectError> {
    let (known_hosts, identity) = read_files(ssh).await?;
    let socket =
        timeout(CONNECT, connect(ssh))
            .await
            .map_err(|_| ConnectError::ConnectTimedOut {
                ssh: ssh.clone(),
                seconds: CONNECT.as_secs(),
            })??;
    let mut phase = Phase::KeyExchange;
    let handshake = async {
        let config = Arc::new(config(&known_hosts));
        let events = Events {
            shared: Arc::clone(shared),
            known_hosts,
        };
        let mut handle = connect_stream(config, Wire::new(socket, cut), events)
            .await
            .map_err(|failure| refused(ssh, failure))?;
        phase = Phase::Authentication;
        authenticate(ssh, shared, &mut handle, &identity).await?;
        Ok(handle)
    };
    let outcome = timeout(HANDSHAKE, handshake).await;
    outcome.map_err(|_| ConnectError::HandshakeTimedOut {
        ssh: ssh.clone(),
        phase,
        seconds: HANDSHAKE.as_secs(),
    })?
}

async fn read_files(ssh: &SshInfo) -> Result<(KnownHosts, Identity), ConnectError> {
    let owned = ssh.clone();
    let read = move || {
        let known_hosts = KnownHosts::load(&owned.known_hosts(), &owned.host, owned.port);
        (known_hosts, Identity::load(&owned.key_path))
    };
    let (known_hosts, identity) =
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| ConnectError::Interrupted {
                ssh: ssh.clone(),
                source: error.into(),
            })?;
    let known_hosts = known_hosts.map_err(|source| ConnectError::HostKey {
        ssh: ssh.clone(),
        source,
    })?;
    let identity = identity.map_err(|source| ConnectError::PrivateKey {
        ssh: ssh.clone(),
        source,
    })?;
    Ok((known_hosts, identity))
}

/// The first address that accepts. Each gets a head start over the next one.
async fn connect(ssh: &SshInfo) -> Result<TcpStream, ConnectError> {
    let resolve = |source| ConnectError::Resolve {
        ssh: ssh.clone(),
        source,
    };
    let addresses = lookup_host((ssh.host.as_str(), ssh.port)).await;
    let attempts: Vec<_> = addresses
        .map_err(resolve)?
        .zip(0..)
        .map(|(address, turn)| Box::pin(connect_after(NEXT_ADDRESS * turn, address)))
        .collect();
    if attempts.is_empty() {
        return Err(resolve(io::Error::other("it has no address")));
    }
    let (socket, _) = select_ok(attempts)
        .await
        .map_err(|source| ConnectError::Unreachable {
            ssh: ssh.clone(),
            source,
        })?;
    // Small requests must not wait for one another's acknowledgement; without it they only take longer.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

async fn connect_after(delay: Duration, address: SocketAddr) -> io::Result<TcpStream> {
    sleep(delay).await;
    TcpStream::connect(address).await
}

fn config(known_hosts: &KnownHosts) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-mngr-latchkey_",
            env!("CARGO_PKG_VERSION")
        ))),
        limits: LIMITS,
        preferred: algorithms::preferred(&known_hosts.algorithms()),
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: QUEUE,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: UNANSWERED,
        inactivity_timeout: Some(INACTIVITY),
        nodelay: true,
        ..Config::default()
    }
}

fn refused(ssh: &SshInfo, failure: Failure) -> ConnectError {
    let ssh = ssh.clone();
    match failure {
        Failure::HostKey(source) => ConnectError::HostKey { ssh, source },
        Failure::Protocol(error) => ConnectError::Handshake {
            ssh,
            phase: Phase::KeyExchange,
            reason: Disconnected::from(error).to_string(),
        },
    }
}

async fn authenticate(
    ssh: &SshInfo,
    shared: &Shared,
    handle: &mut Handle<Events>,
    identity: &Identity,
) -> Result<(), ConnectError> {
    let ended = |reason: String| ConnectError::Handshake {
        ssh: ssh.clone(),
        phase: Phase::Authentication,
        reason,
    };
    // Asking takes a second with hosts that do not say.
    let hash = if identity.for_host(None).algorithm().is_rsa() {
        let best = handle.best_supported_rsa_hash().await;
        best.map_err(|error| ended(Disconnected::from(error).to_string()))?
    } else {
        None
    };
    let key = identity.for_host(hash);
    let outcome = handle.authenticate_publickey(&ssh.user, key).await;
    match outcome {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure {
            remaining_methods, ..
        }) if !handle.is_closed() => {
            let accepted: Vec<String> = remaining_methods.iter().map(String::from).collect();
            Err(ConnectError::AuthenticationRefused {
                ssh: ssh.clone(),
                key_path: ssh.key_path.clone(),
                accepted: printable(&accepted.join(", ")),
            })
        }
        // The library reports a connection that ended as a failed authentication.
        _ => Err(ended(shared.ended().await.to_string())),
    }
}

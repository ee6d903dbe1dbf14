//! What a host may start by itself: channels to the ports that were asked for, and nothing else.
//!
//! The library waits for these methods, so none of them waits for anything: a channel is connected and relayed in a task of
//! its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::error::{Disconnected, printable};
use super::shared::Shared;
use crate::supervisor::tunnels::backlog::Backlog;
use crate::supervisor::tunnels::known_hosts::{HostKeyError, KnownHosts, Trust};
use crate::supervisor::tunnels::relay::{Ending, relay};

/// How long the local side of a forward may take to accept a connection.
const LOCAL_CONNECT: Duration = Duration::from_secs(10);

/// The library's way back to one connection.
pub(super) struct Events {
    pub(super) shared: Arc<Shared>,
    pub(super) known_hosts: KnownHosts,
}

/// Why the library gives up a connection.
#[derive(Debug)]
pub(super) enum Failure {
    HostKey(HostKeyError),
    Protocol(russh::Error),
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

impl Handler for Events {
    type Error = Failure;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        // Certificates are never asked for, so that none can come.
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let trust = self.known_hosts.check(key).map_err(Failure::HostKey)?;
        if let Trust::FirstUse { fingerprint } = trust {
            tracing::warn!(
                host = %self.shared.host,
                %fingerprint,
                "accepted the host key of {} unseen, for there is no {} to compare it with",
                self.shared.host,
                self.known_hosts.path().display(),
            );
        }
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        let Some(target) = self.shared.forwards.arrive(connected_port) else {
            tracing::debug!(host = %self.shared.host, port = connected_port, "refused a channel to a port that is not forwarded");
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        let Ok(permit) = Arc::clone(&self.shared.channels).try_acquire_owned() else {
            tracing::debug!(host = %self.shared.host, port = connected_port, "refused a channel: too many are open");
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let forwarded = Forwarded {
            shared: Arc::clone(&self.shared),
            port: connected_port,
            target,
            _permit: permit,
        };
        tokio::spawn(forwarded.serve(channel, reply));
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        prohibit(reply).await
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Failure>) -> Result<(), Failure> {
        self.shared.end(match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                Disconnected::ByHost(printable(&info.message))
            }
            DisconnectReason::Error(Failure::Protocol(error)) => error.into(),
            DisconnectReason::Error(Failure::HostKey(error)) => {
                Disconnected::Protocol(error.to_string())
            }
        });
        Ok(())
    }
}

/// However the library's task ends, those who wait for the end learn of it.
impl Drop for Events {
    fn drop(&mut self) {
        self.shared.finish();
    }
}

async fn prohibit(reply: ChannelOpenHandle) -> Result<(), Failure> {
    reply
        .reject(ChannelOpenFailure::AdministrativelyProhibited)
        .await;
    Ok(())
}

/// A connection of the host to one of its forwards.
struct Forwarded {
    shared: Arc<Shared>,
    port: u32,
    target: SocketAddr,
    _permit: OwnedSemaphorePermit,
}

impl Forwarded {
    async fn serve(self, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let (host, port) = (&self.shared.host, self.port);
        let connected = timeout(LOCAL_CONNECT, TcpStream::connect(self.target)).await;
        let local = match connected {
            Ok(Ok(local)) => local,
            Ok(Err(error)) => {
                tracing::debug!(%host, port, target = %self.target, "cannot connect: {error}");
                return reply.reject(ChannelOpenFailure::ConnectFailed).await;
            }
            Err(_) => {
                tracing::debug!(%host, port, target = %self.target, "cannot connect in time");
                return reply.reject(ChannelOpenFailure::ConnectFailed).await;
            }
        };
        // Where it fails, the kernel's delay is all there is to lose.
        let _ = local.set_nodelay(true);
        reply.accept().await;
        let backlog = Backlog::new(Arc::clone(&self.shared.spill));
        match relay(channel, local, backlog).await {
            Ending::Closed => {}
            Ending::CutOff => self.shared.wear(),
            Ending::Overflowed(error) => {
                tracing::warn!(
                    %host,
                    port,
                    "reset a connection from {host} to its port {port}, for it sends and this side does not read: {error}",
                );
                self.shared.wear();
            }
        }
    }
}

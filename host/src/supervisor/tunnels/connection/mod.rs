//! One SSH connection to an agent host, and the ports of that host which lead here through it.
//!
//! A [`Connection`] stands authenticated, or does not exist: [`Connection::open`] checks the host's key and presents the private
//! key, within a deadline. Its methods may be called at the same time and dropped at any time. It ends by itself
//! when the host closes it or is silent for about a minute, which [`Connection::closed`] tells to everybody who asks; it is never
//! opened again. Dropping it cuts the socket at once, and resets the channels that are still relayed.
//!
//! The host can reach the forwards that were registered on this very connection, and nothing else: addresses that it names
//! are never used, and channels of other kinds are refused. [`super::relay`] says how data are passed on.
//!
//! **The window.** The host may send [`WINDOW`] bytes on each channel before it hears of this side. One channel over a
//! path of 100 ms gets 10 MiB/s with it; twice as much would double what a slow reader's channel has in flight ahead of
//! the others. At most [`QUEUE`] packets of a channel wait in the library.

mod channel;
mod error;
mod forwards;
mod handler;
mod open;
mod shared;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::forwards::Before;
use self::handler::Events;
use self::shared::Shared;
use super::spill::SpillSpace;
use super::{probe, remote_command};
use crate::supervisor::ssh_info::SshInfo;

use self::channel::Kind;
pub(super) use self::channel::OwnChannel;
pub(super) use self::error::printable;
pub(crate) use self::error::{ConnectError, Disconnected, ForwardError};
pub(crate) use super::probe::ProbeError;
pub(crate) use super::remote_command::RemoteCommandError;

/// What a host may send on one channel before it is granted more.
const WINDOW: u32 = 1024 * 1024;

/// How many packets of one channel wait for its relay.
const QUEUE: usize = 32;

/// Where connections are accepted on the host; the name that the host registers them under.
const LOOPBACK: &str = "127.0.0.1";

/// How long a host may take to answer a request.
const ANSWER: Duration = Duration::from_secs(20);

/// How long to take leave.
const LEAVE: Duration = Duration::from_secs(2);

/// An authenticated connection.
pub(crate) struct Connection {
    handle: Arc<Handle<Events>>,
    shared: Arc<Shared>,
    /// Cuts the wire when the connection is dropped.
    _wire: DropGuard,
}

impl Connection {
    /// Connects and authenticates within 40 seconds. What is not read here is kept in `spill`.
    pub(crate) async fn open(ssh: &SshInfo, spill: &Arc<SpillSpace>) -> Result<Self, ConnectError> {
        let cut = CancellationToken::new();
        let wire = cut.clone().drop_guard();
        let shared = Shared::new(ssh.to_string(), spill.of_one_host());
        let handle = open::open(ssh, &shared, cut).await?;
        Ok(Self {
            handle: Arc::new(handle),
            shared,
            _wire: wire,
        })
    }

    /// Has the host listen on its `127.0.0.1:<remote_port>`, whose connections lead to `target` from then on.
    pub(crate) async fn forward(
        &self,
        remote_port: u16,
        target: SocketAddr,
    ) -> Result<(), ForwardError> {
        let forwards = &self.shared.forwards;
        match forwards.ask(remote_port, target) {
            Before::Nothing => {}
            Before::Stood => return Ok(()),
            // Its answer was not waited for; the host would refuse to listen twice.
            Before::Asked => drop(self.request_cancel(remote_port).await),
        }
        let request = self.handle.tcpip_forward(LOOPBACK, u32::from(remote_port));
        let answer = self
            .answer(remote_port, request, ForwardError::PortHeld)
            .await;
        match answer {
            Ok(()) => forwards.stands(remote_port),
            Err(ForwardError::PortHeld(_)) => forwards.remove(remote_port),
            Err(_) => {}
        }
        answer
    }

    /// Has the host stop listening. Connections that are relayed stay.
    pub(crate) async fn cancel(&self, remote_port: u16) -> Result<(), ForwardError> {
        self.shared.forwards.remove(remote_port);
        self.request_cancel(remote_port).await
    }

    async fn request_cancel(&self, remote_port: u16) -> Result<(), ForwardError> {
        let request = self
            .handle
            .cancel_tcpip_forward(LOOPBACK, u32::from(remote_port));
        self.answer(remote_port, request, ForwardError::NotForwarded)
            .await
    }

    /// Waits for the end of the connection.
    pub(crate) async fn closed(&self) -> Disconnected {
        self.shared.ended().await
    }

    /// Takes leave of the host, for two seconds at most.
    pub(crate) async fn close(self) {
        self.shared.end(Disconnected::Closed);
        let leave = async {
            let left = self
                .handle
                .disconnect(Disconnect::ByApplication, "", "")
                .await;
            if left.is_ok() {
                self.shared.finished().await;
            }
        };
        // Whoever does not hear it will see the end of the connection.
        let _ = timeout(LEAVE, leave).await;
    }

    /// Runs a small command on the host and returns what it prints.
    pub(crate) async fn run(&self, command: &str) -> Result<String, RemoteCommandError> {
        remote_command::run(self, command).await
    }

    /// Sends a request through the tunnel of `remote_port`, from the host to the gateway.
    pub(crate) async fn probe(&self, remote_port: u16) -> Result<(), ProbeError> {
        probe::probe(self, remote_port).await
    }

    /// How many connections to the port came through this very connection; `None` where nothing is forwarded.
    pub(super) fn arrived(&self, remote_port: u16) -> Option<u64> {
        self.shared.forwards.arrived(remote_port)
    }

    pub(super) async fn open_session(&self) -> Result<OwnChannel, russh::Error> {
        OwnChannel::open(&self.handle, &self.shared, Kind::Session).await
    }

    /// Has the host connect to its own `127.0.0.1:<port>`.
    pub(super) async fn open_loopback(&self, port: u16) -> Result<OwnChannel, russh::Error> {
        OwnChannel::open(&self.handle, &self.shared, Kind::Loopback(port)).await
    }

    async fn answer<T>(
        &self,
        remote_port: u16,
        request: impl Future<Output = Result<T, russh::Error>>,
        refused: impl FnOnce(u16) -> ForwardError,
    ) -> Result<(), ForwardError> {
        let answer = tokio::select! {
            answer = timeout(ANSWER, request) => answer,
            reason = self.closed() => return Err(ForwardError::Disconnected(reason)),
        };
        match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(russh::Error::RequestDenied)) => Err(refused(remote_port)),
            Ok(Err(_)) => Err(ForwardError::Disconnected(self.closed().await)),
            Err(_) => Err(ForwardError::TimedOut(remote_port)),
        }
    }
}

//! A channel that this side opened, for a while.
//!
//! It is handed back whatever happens to those who use it: an abandoned one is ended in the background, because a host allows
//! only few sessions at once, and the SSH library frees a channel only when the host closes it first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::timeout;

use super::handler::Events;
use super::shared::Shared;

/// How long the host may take to close a channel that is of no more use.
const LEAVING: Duration = Duration::from_secs(2);

/// What to open.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// To run a command.
    Session,
    /// A connection to a port of the host's own loopback address.
    Loopback(u16),
}

/// A channel to the host.
pub(in crate::supervisor::tunnels) struct OwnChannel {
    /// Absent once the host has closed the channel.
    halves: Option<(ChannelReadHalf, ChannelWriteHalf<Msg>)>,
    shared: Arc<Shared>,
}

impl OwnChannel {
    /// Opens a channel. The attempt goes on when this is dropped, so that its outcome can be handed back.
    pub(super) async fn open(
        handle: &Arc<Handle<Events>>,
        shared: &Arc<Shared>,
        kind: Kind,
    ) -> Result<Self, russh::Error> {
        let (handle, shared) = (Arc::clone(handle), Arc::clone(shared));
        let opening = tokio::spawn(async move {
            let channel = match kind {
                Kind::Session => handle.channel_open_session().await,
                Kind::Loopback(port) => {
                    let loopback = super::LOOPBACK;
                    let port = u32::from(port);
                    handle
                        .channel_open_direct_tcpip(loopback, port, loopback, 0)
                        .await
                }
            };
            channel.map(|channel| Self::new(channel, shared))
        });
        // It fails only when the process ends.
        opening.await.unwrap_or(Err(russh::Error::RecvError))
    }

    fn new(channel: Channel<Msg>, shared: Arc<Shared>) -> Self {
        Self {
            halves: Some(channel.split()),
            shared,
        }
    }

    /// Runs a command.
    pub(in crate::supervisor::tunnels) async fn exec(
        &self,
        command: &str,
    ) -> Result<(), russh::Error> {
        match &self.halves {
            Some((_, to_host)) => to_host.exec(true, command).await,
            None => Err(russh::Error::SendError),
        }
    }

    pub(in crate::supervisor::tunnels) async fn send(
        &self,
        bytes: Bytes,
    ) -> Result<(), russh::Error> {
        match &self.halves {
            Some((_, to_host)) => to_host.data_bytes(bytes).await,
            None => Err(russh::Error::SendError),
        }
    }

    /// Says that no more is to come from here.
    pub(in crate::supervisor::tunnels) async fn finish(&self) -> Result<(), russh::Error> {
        match &self.halves {
            Some((_, to_host)) => to_host.eof().await,
            None => Err(russh::Error::SendError),
        }
    }

    /// The next message; `None` when the channel or the connection is closed.
    pub(in crate::supervisor::tunnels) async fn next(&mut self) -> Option<ChannelMsg> {
        let (from_host, _) = self.halves.as_mut()?;
        match from_host.wait().await {
            None | Some(ChannelMsg::Close) => {
                self.halves = None;
                None
            }
            message => message,
        }
    }
}

impl Drop for OwnChannel {
    fn drop(&mut self) {
        let Some(halves) = self.halves.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(hand_back(halves, Arc::clone(&self.shared)));
        }
    }
}

async fn hand_back(
    (mut from_host, to_host): (ChannelReadHalf, ChannelWriteHalf<Msg>),
    shared: Arc<Shared>,
) {
    let leave = async {
        if to_host.eof().await.is_err() {
            return;
        }
        while !matches!(from_host.wait().await, None | Some(ChannelMsg::Close)) {}
    };
    if timeout(LEAVING, leave).await.is_err() {
        shared.wear();
        // It fails only where the connection has ended, which frees everything.
        let _ = to_host.close().await;
    }
}

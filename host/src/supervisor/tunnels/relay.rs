//! Relays one forwarded channel to a local socket and back, with back-pressure in both directions.
//!
//! **Host to local.** The SSH library grants the host new window as soon as data arrive, not when they are used, and then
//! waits for room in the channel's queue: while one is full the whole connection waits, with its other channels and its
//! keep-alives. The window cannot be withheld. So this side always takes what comes, into a [`Backlog`] that
//! is bounded in memory and on disk. Once much waits there, the next packet is taken only after a [`pause`], for which the
//! library does wait: the sender comes down to the pace of the reader. The price is paid by the other channels of that
//! connection, whose data queue behind a window's worth of such packets: tens of milliseconds behind a reader of
//! 20 MB/s, half a second behind one that has left a full gigabyte unread. None of them ever waits longer. A channel
//! whose backlog exceeds its caps is reset, and no other.
//!
//! **Local to host.** The next read waits until the host has granted window for the last one, which is TCP's own
//! back-pressure carried on.
//!
//! **Ends.** Each direction ends by itself: the end of what the local side sends becomes the channel's EOF, and the
//! channel's EOF shuts the local socket down for writing once everything before it is written. A local socket that breaks, a
//! channel that is closed before its EOF and a connection that is lost are failures instead: the other side is cut off and
//! what waits for it dropped. sshd passes on nothing but ends, so its client sees a cut as one too; the local side sees a reset.
//! The host is left to close the channel first, as it does once both directions have ended: the library never frees a channel
//! that this side closes first. Only a host that takes too long is not waited for ([`Ending::CutOff`]).

use std::io::{self, IoSlice};
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use rustix::net::Shutdown;
use rustix::net::sockopt::set_socket_linger;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::backlog::{Backlog, pause};
use super::spill::SpillError;

/// How much is read from the local socket at once.
const READ: usize = 64 * 1024;

/// How many chunks are written to the local socket at once.
const SLICES: usize = 32;

/// Shorter pauses add up to this much before they are made: timers count milliseconds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);

/// How long a host may take to close a channel whose two directions have ended.
const CLOSING: Duration = Duration::from_secs(10);

/// How long the host's client may take to leave after its local side broke.
const LEAVING: Duration = Duration::from_secs(2);

/// How long the local socket may take nothing of what a host has sent in full before it left.
const STALLED: Duration = Duration::from_secs(60);

/// How a relay ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The host closed the channel.
    Closed,
    /// This side had to close the channel: the SSH library keeps its record (some 3 KB) until the connection ends.
    CutOff,
    /// As before, because more came than could be kept.
    Overflowed(SpillError),
}

/// Relays until both sides have ended or one has failed.
pub(super) async fn relay(channel: Channel<Msg>, local: TcpStream, backlog: Backlog) -> Ending {
    let (from_host, to_host) = channel.split();
    let mut inbound = Inbound {
        from_host,
        local: &local,
        backlog,
        host: Host::Sending,
        sink: Sink::Open,
        owed: Duration::ZERO,
        resume: None,
    };
    let ending = run(&mut inbound, &local, &to_host).await;
    if !matches!(ending, Ending::Closed) {
        // It fails only where the connection has ended, which frees everything.
        let _ = to_host.close().await;
    }
    if !inbound.is_delivered() {
        // The local side must not take the cut for the end. What cannot be reset has been closed already.
        let _ = set_socket_linger(&local, Some(Duration::ZERO));
    }
    ending
}

async fn run(
    inbound: &mut Inbound<'_>,
    local: &TcpStream,
    to_host: &ChannelWriteHalf<Msg>,
) -> Ending {
    let mut outbound = pin!(send(local, to_host));
    let mut is_sending = true;
    // When to close a channel that has served its purpose.
    let mut patience: Option<Instant> = None;
    while inbound.host.is_open() {
        if !is_sending && patience.is_none() {
            patience = match (inbound.host, inbound.sink) {
                (Host::Ended, Sink::Open) => None,
                (Host::Ended, _) => Some(Instant::now() + CLOSING),
                (_, Sink::Broken) => Some(Instant::now() + LEAVING),
                _ => None,
            };
        }
        tokio::select! {
            sent = &mut outbound, if is_sending => {
                is_sending = false;
                if sent.is_err() {
                    inbound.break_off();
                }
            }
            step = inbound.step() => if let Err(error) = step {
                inbound.break_off();
                return Ending::Overflowed(error);
            },
            () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => {
                return Ending::CutOff;
            }
        }
    }
    // The host's client has sent everything and left: what waits is still good.
    while inbound.has_more() {
        match timeout(STALLED, inbound.step()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Ending::Closed
}

/// Sends what the local side sends, and its end. An error when either side failed.
async fn send(local: &TcpStream, to_host: &ChannelWriteHalf<Msg>) -> io::Result<()> {
    let outcome = copy(local, to_host).await;
    // Also after a failure: the host passes a close on to its client in no other way.
    to_host.eof().await.map_err(io::Error::other)?;
    outcome
}

async fn copy(local: &TcpStream, to_host: &ChannelWriteHalf<Msg>) -> io::Result<()> {
    loop {
        local.readable().await?;
        // Not kept while nothing comes: most connections are idle most of the time.
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(READ);
            match local.try_read_buf(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    let chunk = buffer.split().freeze();
                    to_host.data_bytes(chunk).await.map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
}

/// What the host has said last of its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Sending,
    /// It has sent everything.
    Ended,
    /// The channel is closed; `whole` when everything was sent before.
    Closed {
        whole: bool,
    },
}

impl Host {
    fn is_open(self) -> bool {
        !matches!(self, Self::Closed { .. })
    }
}

/// What the local socket does with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Open,
    /// Everything is written, and the socket shut down for writing.
    Shut,
    /// It takes nothing any more: what comes is dropped.
    Broken,
}

/// The direction from the host to the local socket.
struct Inbound<'a> {
    from_host: ChannelReadHalf,
    local: &'a TcpStream,
    backlog: Backlog,
    host: Host,
    sink: Sink,
    /// Pauses that are too short to be made one by one.
    owed: Duration,
    resume: Option<Instant>,
}

impl Inbound<'_> {
    /// Waits for one event and deals with it. May be dropped at any time.
    async fn step(&mut self) -> Result<(), SpillError> {
        let takes = self.host.is_open() && self.resume.is_none() && self.backlog.has_room();
        let writes = self.sink == Sink::Open && self.backlog.is_ready();
        tokio::select! {
            message = self.from_host.wait(), if takes => self.receive(message),
            _ = self.local.writable(), if writes => self.write(),
            progress = self.backlog.progress() => progress,
            () = sleep_until(self.resume.unwrap_or_else(Instant::now)), if self.resume.is_some() => {
                self.resume = None;
                Ok(())
            }
        }?;
        self.shut_if_drained();
        Ok(())
    }

    fn receive(&mut self, message: Option<ChannelMsg>) -> Result<(), SpillError> {
        match message {
            Some(ChannelMsg::Data { data }) if self.sink == Sink::Open => self.take(data),
            Some(ChannelMsg::Eof) => {
                self.host = Host::Ended;
                Ok(())
            }
            // Without a close of its own the connection is lost.
            Some(ChannelMsg::Close) | None => {
                let whole = self.host == Host::Ended;
                self.host = Host::Closed { whole };
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    fn take(&mut self, data: Bytes) -> Result<(), SpillError> {
        let length = data.len();
        self.backlog.push(data)?;
        self.owed += pause(self.backlog.spilled(), length);
        if self.owed >= SHORTEST_PAUSE {
            self.resume = Some(Instant::now() + std::mem::take(&mut self.owed));
        }
        self.write()
    }

    /// Writes as much as the local socket takes now.
    fn write(&mut self) -> Result<(), SpillError> {
        while self.backlog.is_ready() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.backlog.next(&mut slices);
            match self
                .local
                .try_write_vectored(slices.get(..count).unwrap_or(&[]))
            {
                Ok(written) => self.backlog.advance(written)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.break_off();
                    break;
                }
            }
        }
        Ok(())
    }

    fn shut_if_drained(&mut self) {
        let ended = matches!(self.host, Host::Ended | Host::Closed { whole: true });
        if ended && self.sink == Sink::Open && self.backlog.is_empty() {
            self.sink = match rustix::net::shutdown(self.local, Shutdown::Write) {
                Ok(()) => Sink::Shut,
                Err(_) => Sink::Broken,
            };
        }
    }

    /// Drops what waits and all that comes.
    fn break_off(&mut self) {
        if self.sink == Sink::Open {
            self.sink = Sink::Broken;
        }
        self.backlog.clear();
    }

    /// There is something left to write after the channel's close.
    fn has_more(&self) -> bool {
        self.host == Host::Closed { whole: true } && self.sink == Sink::Open
    }

    /// The local side has got everything, up to the end.
    fn is_delivered(&self) -> bool {
        self.sink == Sink::Shut
    }
}

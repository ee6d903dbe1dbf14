//! A client's connection as the HTTP server sees it: only bytes that are framed unambiguously, and only clients that read.
//!
//! Reading lets [`Framing`] follow every byte. What it refuses ends in bytes that the server refuses too, and then in the end
//! of the stream. A connection that turns out to be an HTTP/2 one is answered as such. Writing fails when the client has
//! taken nothing for [`LONGEST_STALL`]. When the server is done with a connection on which a request is still coming, what
//! comes is read for at most [`LINGER`] and thrown away: closing at once would make the system reset the connection, and the
//! client might lose the answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::framing::{Framing, Verdict};
use super::http2;

/// How long a client may take nothing of what it is sent.
const LONGEST_STALL: Duration = Duration::from_secs(5 * 60);
/// How long a client may go on sending what nobody wants.
const LINGER: Duration = Duration::from_secs(2);

/// A connection.
pub(super) struct Guarded<S> {
    stream: Stream<S>,
    framing: Framing,
    /// What the server is still to read in place of what was refused.
    substitute: &'static [u8],
    stall: Stall,
    linger: Option<Pin<Box<Sleep>>>,
}

enum Stream<S> {
    Http1(S),
    /// Being told that it is at the wrong place.
    Http2(Pin<Box<dyn Future<Output = ()> + Send>>),
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Guarded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: Stream::Http1(stream),
            framing: Framing::new(),
            substitute: &[],
            stall: Stall::after(LONGEST_STALL),
            linger: None,
        }
    }

    /// Gives the server as much of the substitute as it has room for.
    fn substitute(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.substitute.len().min(buffer.remaining());
        let (now, later) = self.substitute.split_at(length);
        buffer.put_slice(now);
        self.substitute = later;
    }

    /// Reads and throws away, until the client has nothing more to send or has had its time.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Stream::Http1(stream) = &mut self.stream else {
            return Poll::Ready(());
        };
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if linger.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.substitute.is_empty() {
            this.substitute(buffer);
            return Poll::Ready(Ok(()));
        }
        if this.framing.has_refused() && matches!(this.stream, Stream::Http1(_)) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match &mut this.stream {
            Stream::Http1(stream) => ready!(Pin::new(stream).poll_read(context, buffer))?,
            Stream::Http2(farewell) => {
                ready!(farewell.as_mut().poll(context));
                this.stream = Stream::Ended;
            }
            Stream::Ended => {}
        }
        let read = buffer.filled().get(before..).unwrap_or_default();
        match this.framing.inspect(read) {
            Verdict::Admissible => {}
            Verdict::Refused {
                passed,
                substitute,
                offence,
            } => {
                tracing::debug!("a request is refused: {offence}");
                buffer.set_filled(before + passed);
                this.substitute = substitute;
                this.substitute(buffer);
            }
            Verdict::Http2 { taken } => {
                let rest = read.get(taken..).unwrap_or_default().to_vec();
                buffer.set_filled(before);
                if let Stream::Http1(stream) = std::mem::replace(&mut this.stream, Stream::Ended) {
                    this.stream = Stream::Http2(Box::pin(http2::decline(stream, rest)));
                }
                return Pin::new(this).poll_read(context, buffer);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Stream::Http1(stream) = &mut this.stream else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let written = Pin::new(stream).poll_write_vectored(context, pieces);
        this.stall.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        matches!(&self.stream, Stream::Http1(stream) if stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Http1(stream) => Pin::new(stream).poll_flush(context),
            Stream::Http2(_) | Stream::Ended => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Stream::Http1(stream) = &mut this.stream else {
            return Poll::Ready(Ok(()));
        };
        if this.linger.is_none() {
            ready!(Pin::new(stream).poll_shutdown(context))?;
        }
        if this.framing.is_between_requests() {
            return Poll::Ready(Ok(()));
        }
        this.poll_discard(context).map(Ok)
    }
}

/// Notices when writing makes no progress.
struct Stall {
    longest: Duration,
    /// When the write that is in progress found no room.
    since: Option<Instant>,
    /// Runs since some such moment; kept, so that a transfer that often waits sets it rarely.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    fn after(longest: Duration) -> Self {
        Self {
            longest,
            since: None,
            timer: None,
        }
    }

    fn watch(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.longest;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(self.longest)));
        while timer.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;

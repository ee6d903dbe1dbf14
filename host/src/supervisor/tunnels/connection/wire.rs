//! The TCP connection under an SSH connection, with a switch that cuts it.
//!
//! The SSH library's task owns its socket and ends only when it comes round to look: not during a handshake, and not while a
//! write is blocked. With the switch, reads and writes fail at once, and with them the task.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A socket that fails once its switch is thrown.
pub(super) struct Wire {
    socket: TcpStream,
    cut: CancellationToken,
    /// Wakes the task that reads or writes; the library does both in one.
    waiting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, cut: CancellationToken) -> Self {
        let waiting = Box::pin(cut.clone().cancelled_owned());
        Self {
            socket,
            cut,
            waiting,
        }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.is_cancelled() || self.waiting.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        acknowledge(&self.socket);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Has the kernel acknowledge what was read at once. A host's sshd holds back a small packet until the one before is
/// acknowledged, which the kernel otherwise delays by 40 ms when there is nothing to send.
#[cfg(target_os = "linux")]
fn acknowledge(socket: &TcpStream) {
    // Where it fails, it only takes longer.
    let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge(_: &TcpStream) {}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair(cut: &CancellationToken) -> (Wire, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (far, _) = listener.accept().await.unwrap();
        (Wire::new(near.unwrap(), cut.clone()), far)
    }

    #[tokio::test]
    async fn a_read_that_waits_fails_when_the_wire_is_cut() {
        let cut = CancellationToken::new();
        let (mut wire, _far) = pair(&cut).await;
        let reading = tokio::spawn(async move { wire.read_u8().await });
        tokio::task::yield_now().await;
        cut.cancel();
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_write_that_is_blocked_fails_when_the_wire_is_cut() {
        let cut = CancellationToken::new();
        let (mut wire, _far) = pair(&cut).await;
        let writing = tokio::spawn(async move {
            loop {
                wire.write_all(&[0; 65536]).await?;
            }
        });
        tokio::task::yield_now().await;
        cut.cancel();
        let outcome: io::Result<()> = writing.await.unwrap();
        assert_eq!(
            outcome.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
    }

    #[tokio::test]
    async fn a_wire_that_is_whole_carries_both_ways() {
        let (mut wire, mut far) = pair(&CancellationToken::new()).await;
        wire.write_u8(7).await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), 7);
        far.write_u8(8).await.unwrap();
        assert_eq!(wire.read_u8().await.unwrap(), 8);
    }
}

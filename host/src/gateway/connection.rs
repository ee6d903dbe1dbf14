//! A client's connection: read and written by the HTTP server, and watched for the client's departure.
//!
//! A client may close its sending half and still wait for its answer, so the HTTP server lets it. On an open stream, where
//! nothing else is to come from the client, the same sign means that it has left.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// How often to look whether the client has left while its next request waits to be read.
const PIPELINED_PAUSE: Duration = Duration::from_secs(1);

/// A client's socket. Clones are the same socket.
#[derive(Clone)]
pub(super) struct Connection(Arc<TcpStream>);

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A small answer shall not wait for a full packet; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        Self(Arc::new(stream))
    }

    /// Completes when the client has closed its sending half, or the connection is broken.
    pub(super) async fn left(self) {
        loop {
            match self.0.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            // Behind a waiting request the end shows only in the socket's state.
            match self.0.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(PIPELINED_PAUSE).await,
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Connection {
    fn poll_write_with<T>(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            match rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write) {
                // The client was faster.
                Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
                Err(error) => Err(error.into()),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (client, Connection::new(listener.accept().await.unwrap().0))
    }

    #[tokio::test]
    async fn a_client_that_closes_its_sending_half_has_left_and_still_gets_its_answer() {
        let (mut client, mut connection) = pair().await;
        client.shutdown().await.unwrap();
        connection.clone().left().await;
        connection.write_all(b"answer").await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    }

    #[tokio::test]
    async fn a_client_that_leaves_behind_a_waiting_request_is_noticed() {
        let (mut client, connection) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        drop(client);
        connection.left().await;
    }

    #[tokio::test]
    async fn a_client_that_waits_has_not_left() {
        let (mut client, connection) = pair().await;
        client.write_all(b"x").await.unwrap();
        let left = connection.left();
        tokio::select! {
            () = left => panic!("it is still there"),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

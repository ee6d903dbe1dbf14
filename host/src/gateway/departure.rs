//! Notices that a client has left.
//!
//! A client may close its sending half and still wait for its answer, so the HTTP server lets it. Where an answer takes its
//! time, or a stream stays open and nothing else is to come from the client, the same sign means that it has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::extensions::LEAVING_GRACE;

/// Most answers are there sooner, and need nobody to watch.
const UNWATCHED: Duration = Duration::from_millis(100);

/// How often to look whether the client has left while its next request waits to be read.
const PIPELINED_PAUSE: Duration = Duration::from_secs(1);

/// A handle of a client's socket, beside the one that the HTTP server has. Clones are the same.
#[derive(Clone)]
pub(super) struct Departure(Arc<Shared>);

struct Shared {
    socket: Arc<TcpStream>,
    /// The end of an answer of unknown length is that of the connection.
    unframed_answers: AtomicBool,
}

impl Departure {
    pub(super) fn of(socket: Arc<TcpStream>) -> Self {
        Self(Arc::new(Shared {
            socket,
            unframed_answers: AtomicBool::new(false),
        }))
    }

    /// The client speaks HTTP/1.0.
    pub(super) fn expect_unframed_answers(&self) {
        self.0.unframed_answers.store(true, Ordering::Relaxed);
    }

    /// Has the system reset the connection when it is closed, so that its client does not take that for the end of an answer.
    pub(super) fn reset_if_unframed(&self) {
        if self.0.unframed_answers.load(Ordering::Relaxed) {
            // What cannot be reset has been closed already.
            let _ = set_socket_linger(&*self.0.socket, Some(Duration::ZERO));
        }
    }

    /// Completes when the client has closed its sending half, or the connection is broken.
    pub(super) async fn left(self) {
        tokio::time::sleep(UNWATCHED).await;
        let socket = &self.0.socket;
        loop {
            match socket.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            // Behind a waiting request the end shows only in the socket's state.
            match socket.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(PIPELINED_PAUSE).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Completes when the client has closed its sending half and got no answer for [`LEAVING_GRACE`] since.
    pub(super) async fn left_for_good(self) {
        self.left().await;
        tokio::time::sleep(LEAVING_GRACE).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::socket::Socket;
    use super::*;

    async fn pair() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (client, Arc::new(listener.accept().await.unwrap().0))
    }

    #[tokio::test]
    async fn a_client_that_closes_its_sending_half_has_left_and_still_gets_its_answer() {
        let (mut client, connection) = pair().await;
        client.shutdown().await.unwrap();
        Departure::of(Arc::clone(&connection)).left().await;
        let mut connection = Socket::new(connection);
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
        Departure::of(connection).left().await;
    }

    #[tokio::test]
    async fn a_client_that_waits_has_not_left() {
        let (mut client, connection) = pair().await;
        client.write_all(b"x").await.unwrap();
        let left = Departure::of(connection).left();
        tokio::select! {
            () = left => panic!("it is still there"),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

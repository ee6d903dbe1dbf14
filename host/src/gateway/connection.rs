//! One client's connection, from when it was accepted until it ends.
//!
//! Whatever happens on it ends it alone. Its limits are here: how long a head may take, and how large it may be.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Version;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;

use super::departure::Departure;
use super::dispatch::{Dispatcher, LONGEST_HEADERS};
use super::guard::Guarded;
use super::socket::Socket;
use super::target::LONGEST_TARGET;

/// How long a client may take to send a request's headers, and how long a connection may idle between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Room for the largest allowed target and headers with what stands between them, and for a little more, so that most of what
/// is too long gets the gateway's own answer. The server buffers as much of a response, too, which a slow reader holds.
const HEAD_BUFFER: usize =
    LONGEST_TARGET + LONGEST_HEADERS + MOST_HEADERS * ": \r\n".len() + 15 * 1024;
const MOST_HEADERS: usize = 256;

/// What all connections have in common.
pub(super) struct Connections {
    http: http1::Builder,
    dispatcher: Dispatcher,
}

impl Connections {
    pub(super) fn new(dispatcher: Dispatcher) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEAD_BUFFER)
            .max_headers(MOST_HEADERS)
            .half_close(true);
        Self { http, dispatcher }
    }

    /// Serves a connection to its end; `shutdown` says when that is to come soon.
    ///
    /// # Errors
    /// When the system cannot watch it.
    pub(super) async fn serve(
        &self,
        stream: std::net::TcpStream,
        shutdown: Watcher,
    ) -> io::Result<()> {
        let stream = Arc::new(TcpStream::from_std(stream)?);
        let departure = Departure::of(Arc::clone(&stream));
        // A small answer shall not wait for a full packet; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request: hyper::Request<_>| {
            let departure = departure.clone();
            if request.version() == Version::HTTP_10 {
                departure.expect_unframed_answers();
            }
            async move {
                let response = self.dispatcher.respond(request, &departure).await;
                Ok::<_, Infallible>(response.map(|body| body.until(|| departure.left())))
            }
        });
        let stream = TokioIo::new(Guarded::new(Socket::new(stream)));
        let connection = shutdown.watch(self.http.serve_connection(stream, service));
        // What goes wrong on a connection concerns its client alone, who knows.
        if let Err(error) = connection.await {
            tracing::debug!("a connection ended early: {error}");
            // Where an answer was cut short, its client must not take the end of the connection for the end of the answer.
            if error.is_user() {
                departure.reset_if_unframed();
            }
        }
        Ok(())
    }
}

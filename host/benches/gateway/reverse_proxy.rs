//! What the gateway's proxy is measured against: hyper in front, hyper behind, and a pool of idle connections between.
//!
//! It does what any reverse proxy must: hop-by-hop headers stay behind, `Host` becomes the upstream's, bodies stream both
//! ways as they come. It asks nobody for a password, checks nothing and adds no key. It runs as a process of its own,
//! with the runtime and the HTTP settings of the gateway.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{Either, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Outcome;
use crate::serving;

/// The argument that turns the benchmark into this server; the upstream's address follows.
pub const ARGUMENT: &str = "serve-reverse-proxy";

/// Other than what `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Serves until it is killed. Blocks.
pub fn serve(upstream: &str) -> Outcome<()> {
    let proxy = Arc::new(Proxy {
        upstream: upstream.parse()?,
        host: HeaderValue::from_str(upstream)?,
        idle: Arc::default(),
    });
    serving::serve(move |request| {
        let proxy = Arc::clone(&proxy);
        async move {
            let relayed = proxy.relay(request).await;
            relayed.unwrap_or_else(|error| {
                let of_client = error.downcast_ref().is_some_and(hyper::Error::is_user);
                if !of_client {
                    eprintln!("cannot relay a request: {error}");
                }
                let mut response = Response::new(Either::Right(Empty::new()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            })
        }
    })
}

struct Proxy {
    upstream: SocketAddr,
    host: HeaderValue,
    idle: Arc<Idle>,
}

impl Proxy {
    async fn relay(
        &self,
        mut request: Request<Incoming>,
    ) -> Outcome<Response<Either<Relayed, Empty<Bytes>>>> {
        remove_hop_by_hop(request.headers_mut());
        request
            .headers_mut()
            .insert(header::HOST, self.host.clone());
        let (connection, response) = self.send(request).await?;
        let lease = Lease {
            connection: Some(connection),
            idle: Arc::clone(&self.idle),
        };
        let mut response = response.map(|body| {
            Either::Left(Relayed {
                body,
                _lease: lease,
            })
        });
        remove_hop_by_hop(response.headers_mut());
        Ok(response)
    }

    /// On a connection that is idle, or else a new one. What the upstream has closed meanwhile is passed over.
    async fn send(
        &self,
        mut request: Request<Incoming>,
    ) -> Outcome<(SendRequest<Incoming>, Response<Incoming>)> {
        while let Some(mut connection) = self.idle.take() {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((connection, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await?;
        Ok((connection, response))
    }

    async fn connect(&self) -> Outcome<SendRequest<Incoming>> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong on it, its sender hears.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Connections that nobody uses. The last one back is the first one out, and the likeliest to be alive.
#[derive(Default)]
struct Idle(Mutex<Vec<SendRequest<Incoming>>>);

impl Idle {
    fn take(&self) -> Option<SendRequest<Incoming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, connection: SendRequest<Incoming>) {
        if !connection.is_closed() {
            let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(connection);
        }
    }
}

/// Gives the connection back once its response has been passed on.
struct Lease {
    connection: Option<SendRequest<Incoming>>,
    idle: Arc<Idle>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.give_back(connection);
        }
    }
}

/// The upstream's body as it comes.
struct Relayed {
    body: Incoming,
    _lease: Lease,
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(named) = headers.remove(header::CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            headers.remove(name.trim());
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

//! Requests to upstreams: HTTP/1.1, plain or over TLS, on connections that are kept for the next request.
//!
//! What it promises: a connection serves again only after both its request and its response were consumed to their ends, so no
//! byte of one exchange is ever read as part of another; no request is sent twice, except one without content whose
//! repetition changes nothing, after a kept connection turned out to be dead; a response that is cut short is an error, never an
//! end; every phase has its time limit; bodies are passed on as they come, unbuffered. It adds no header of its own but
//! `Host` and framing, follows no redirect and knows no proxy.

mod activity;
mod address;
mod body;
mod connect;
mod error;
pub(super) mod fields;
mod link;
mod origin;
mod patience;
mod pool;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

pub(super) use self::address::Reach;
pub(super) use self::body::UpstreamBody;
pub(super) use self::error::SendError;
use self::link::{Failure, Link};
use self::origin::Origin;
use self::pool::{Bounds, Pool};
use self::tls::Tls;

/// How long each phase of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Resolving the name, connecting, and the TLS handshake, together.
    pub connect: Duration,
    /// From when the upstream has taken all of the request until its response begins.
    pub first_byte: Duration,
    /// Between two frames of the response; or while the upstream takes nothing of a request that is there for it.
    pub idle: Duration,
}

impl Default for Limits {
    /// Long enough for a poll that waits and for a stream that has nothing to say for a while.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(15 * 60),
            idle: Duration::from_secs(15 * 60),
        }
    }
}

/// Sends requests. One is enough for all callers: its connections are shared by those who may go equally far.
pub(super) struct Client {
    pool: Arc<Pool>,
    tls: Tls,
}

impl Client {
    /// Does nothing yet: certificate authorities are loaded when they are first needed.
    pub(super) fn new() -> Self {
        Self {
            pool: Pool::new(Bounds {
                per_origin: 64,
                total: 256,
                lifetime: Duration::from_secs(30),
            }),
            tls: Tls::new(),
        }
    }

    #[cfg(test)]
    fn with(roots: tokio_rustls::rustls::RootCertStore, bounds: Bounds) -> Self {
        Self {
            pool: Pool::new(bounds),
            tls: Tls::trusting(roots),
        }
    }

    /// Sends a request whose URI is absolute, and waits for the head of its response. Hop-by-hop fields are not sent; `Trailer`
    /// is, with a body whose length is not known. Dropping the future, or the body, ends the exchange for the upstream too.
    ///
    /// # Errors
    /// See [`SendError`]. Whether the upstream has acted on the request is not known, unless it was not connected to.
    pub(super) async fn send<B>(
        &self,
        request: Request<B>,
        limits: Limits,
        reach: Reach,
    ) -> Result<Response<UpstreamBody>, SendError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let origin = Origin::of(request.uri(), reach)?;
        let mut request = request::prepare(request, origin.host_header()?)?;
        if let Some(link) = self.pool.take(&origin) {
            let replay = request::replay(&request);
            match link.exchange(request, limits).await {
                Ok(response) => return Ok(response),
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Unanswered(error)) => request = replay.ok_or(error)?,
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        let transport = connect::connect(&origin, &self.tls, limits.connect).await?;
        let link = Link::open(transport, Arc::new(origin), &self.pool).await?;
        link.exchange(request, limits)
            .await
            .map_err(Failure::into_error)
    }
}

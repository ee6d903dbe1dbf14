//! Why a request to an upstream failed, told apart as far as a caller answers differently.
//!
//! Every message is one sentence. It may name the upstream's host and port, never credentials, paths, queries or values of headers.

use std::io;
use std::time::Duration;

use super::origin::HostPort;

/// What a foreign stream or library failed with.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request got no response, or a response did not end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SendError {
    /// The request cannot be sent by anybody: nothing was connected to.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(&'static str),
    #[error("{host} cannot be resolved to an address")]
    NotResolved { host: HostPort },
    /// Every address of the host lies where [`Reach`](super::Reach) does not extend.
    #[error("{host} has no public address, and others are not allowed")]
    Prohibited { host: HostPort },
    /// The address was reached, and nothing listens there.
    #[error("{host} refuses connections")]
    Refused { host: HostPort },
    #[error("{host} cannot be connected to: {source}")]
    Unreachable { host: HostPort, source: io::Error },
    /// Resolving, connecting and the TLS handshake took longer than they may, together.
    #[error("{host} was not connected to within {limit:?}")]
    ConnectTimeout { host: HostPort, limit: Duration },
    #[error("{host} has a certificate that is not trusted: {source}")]
    Certificate { host: HostPort, source: io::Error },
    #[error("the TLS handshake with {host} failed: {source}")]
    Tls { host: HostPort, source: io::Error },
    /// This machine's certificate authorities cannot be used, so no https upstream can be.
    #[error("no certificate authority could be loaded from this system: {0}")]
    Authorities(String),
    #[error("the connection ended before the response began")]
    Closed(#[source] Option<hyper::Error>),
    #[error("the response is malformed: {0}")]
    Malformed(&'static str),
    /// Nothing of the response came in time after the request had been sent.
    #[error("no response began within {0:?}")]
    FirstByteTimeout(Duration),
    /// The upstream took nothing of the request in time.
    #[error("the request was not accepted any further for {0:?}")]
    UploadTimeout(Duration),
    /// Nothing more of a response that had begun came in time.
    #[error("the response did not continue for {0:?}")]
    IdleTimeout(Duration),
    /// The request body failed, which is the sender's doing: it left, stalled, or sent another length than it said.
    #[error("the request body could not be read: {0}")]
    RequestBody(#[source] BoxError),
    /// The response body ended before it was complete.
    #[error("the response was cut short")]
    Cut(#[source] hyper::Error),
}

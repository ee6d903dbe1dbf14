//! Passing a request on to another server, and its answer back.
//!
//! Neither body comes into the extension: the gateway joins the two connections, in both directions and without end. It takes
//! out what concerns one connection alone, sets `Host`, and adds the bearer token of the manifest's [`Upstream`]; redirects
//! are an answer like any other.
//!
//! [`Upstream`]: crate::Upstream

use crate::bindings::mngr::gateway::client as gateway_client;
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{ErrorCode, Scheme};
use crate::{Context, Request, Response};

/// Where a request is passed on to. Reached only when the manifest names its origin as an [`Upstream`](crate::Upstream) and
/// the operator has granted that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Whether the connection is encrypted.
    pub https: bool,
    /// Host and, unless it is the scheme's own, port; an IPv6 address in brackets. No user name.
    pub authority: String,
}

/// Why there is no answer of the other server. The text is for whoever made the request.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The origin is not granted to the extension.
    #[error("this server is not granted to the extension")]
    NotGranted,
    /// The name leads to an address that the extension may not reach.
    #[error("the server's address is not granted to the extension")]
    AddressNotGranted,
    /// The server's name has no address.
    #[error("the server's name cannot be resolved")]
    Unresolved,
    /// Nothing listens there, or the network does not lead there.
    #[error("the connection was refused")]
    Refused,
    /// No connection within its time limit.
    #[error("no connection was made within the time limit")]
    ConnectTimeout,
    /// The server could not prove who it is.
    #[error("the server's certificate is not trusted")]
    Certificate,
    /// The encrypted connection could not be made.
    #[error("no encrypted connection could be made")]
    Tls,
    /// The connection ended before an answer came.
    #[error("the connection ended before the server answered")]
    Closed,
    /// What came was no HTTP answer, or one that could be read in two ways.
    #[error("the server's answer is not valid HTTP")]
    Malformed,
    /// No answer within its time limit.
    #[error("the server did not begin to answer within the time limit")]
    FirstByteTimeout,
    /// The server took nothing of the request's body for too long.
    #[error("the server took nothing of the request within the time limit")]
    WriteTimeout,
    /// The request's own body ended before its end, or paused for too long.
    #[error("the request's body ended early")]
    RequestBody,
    /// Nobody waits for the answer any more.
    #[error("the client has left")]
    ClientLeft,
    /// The path and query, or the destination, is not of a form that can be sent.
    #[error("the request cannot be addressed to the server")]
    Address,
    /// The setting of the upstream's bearer token holds something that no header can carry.
    #[error(
        "the gateway's key for this server cannot be sent: its operator finds the setting's name in the log"
    )]
    Bearer,
    /// The request's body was read before.
    #[error("the request's body was read before")]
    Taken,
    /// Whatever else the gateway reports.
    #[error("{0}")]
    Other(String),
}

impl Request {
    /// Passes the request on to `destination` as a request for `path_and_query` (percent-encoded, beginning with `/`), and
    /// gives the answer to relay. When the client leaves first, the other server's connection is closed.
    ///
    /// Method, headers and body are the request's own.
    ///
    /// # Errors
    /// When there is no answer; nothing has been sent to the client then.
    pub async fn forward(
        self,
        destination: &Destination,
        path_and_query: &str,
        context: &Context,
    ) -> Result<Response, ForwardError> {
        let request = self.into_wasi().ok_or(ForwardError::Taken)?;
        let scheme = if destination.https {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let addressed = request
            .set_scheme(Some(&scheme))
            .and_then(|()| request.set_authority(Some(&destination.authority)))
            .and_then(|()| request.set_path_with_query(Some(path_and_query)));
        addressed.map_err(|()| ForwardError::Address)?;
        gateway_client::send_next_for(&context.request_id);
        Ok(Response::from_wasi(client::send(request).await?))
    }
}

impl From<ErrorCode> for ForwardError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied => Self::NotGranted,
            ErrorCode::DestinationIpProhibited => Self::AddressNotGranted,
            ErrorCode::DnsError(_) | ErrorCode::DnsTimeout | ErrorCode::DestinationNotFound => {
                Self::Unresolved
            }
            ErrorCode::ConnectionRefused
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable => Self::Refused,
            ErrorCode::ConnectionTimeout => Self::ConnectTimeout,
            ErrorCode::TlsCertificateError => Self::Certificate,
            ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => Self::Tls,
            ErrorCode::ConnectionTerminated => Self::ClientLeft,
            ErrorCode::HttpResponseIncomplete => Self::Closed,
            ErrorCode::HttpProtocolError => Self::Malformed,
            ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => {
                Self::FirstByteTimeout
            }
            ErrorCode::ConnectionWriteTimeout => Self::WriteTimeout,
            ErrorCode::HttpRequestBodySize(_) => Self::RequestBody,
            ErrorCode::HttpRequestUriInvalid => Self::Address,
            ErrorCode::ConfigurationError => Self::Bearer,
            ErrorCode::InternalError(Some(text)) => Self::Other(text),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

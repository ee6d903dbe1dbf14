//! `wasi:http/client`: requests to other servers, only to origins that are granted.
//!
//! A granted bearer token is added here, to requests for its own origin and no other: the guest never has it, and it does not
//! come back in a header. Redirects are the guest's to follow, through the same gate. What concerns one connection alone, and
//! what concerns the gateway alone, passes in neither direction. An extension has only so many requests in progress.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http_body::Frame;
use http_body_util::BodyExt;
use memchr::memmem;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use super::Capabilities;
use crate::extensions::outbound::{Limits, Reach, SendError};
use crate::extensions::output::OutputLog;
use crate::extensions::policy::{Server, UpstreamGrant, WebOrigin};

/// Beside those that WASI keeps from guests by itself.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> = LazyLock::new(|| Arc::new(is_forbidden));

fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || matches!(name.as_str(), "te" | "trailers")
        || name.as_str().starts_with("x-latchkey-gateway-")
}

/// One instance's way out.
pub(in crate::extensions) struct Egress {
    capabilities: Capabilities,
    /// For each granted upstream in a setting, what that said last.
    known: Vec<Option<KnownSetting>>,
    /// The token that was sent last.
    bearer: Option<Arc<Bearer>>,
    /// Cancelled when nobody waits any more for what the next request is sent for.
    next_client: Option<CancellationToken>,
}

struct KnownSetting {
    value: String,
    origin: Option<WebOrigin>,
}

type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Exchange = Result<(http::Response<WasiBody>, Transmission), Error>;

impl Egress {
    pub(in crate::extensions) fn new(capabilities: Capabilities) -> Self {
        let known = capabilities.grants.upstreams.iter().map(|_| None).collect();
        Self {
            capabilities,
            known,
            bearer: None,
            next_client: None,
        }
    }

    /// The next request ends when this client leaves.
    pub(super) fn send_next_for(&mut self, client: Option<CancellationToken>) {
        self.next_client = client;
    }
}

/// The grant that lets a request to `uri` out.
fn grant_for<'a>(
    uri: &http::Uri,
    upstreams: &'a [UpstreamGrant],
    known: &mut [Option<KnownSetting>],
) -> Option<&'a UpstreamGrant> {
    upstreams.iter().zip(known).find_map(|(grant, known)| {
        let granted = match &grant.server {
            Server::Fixed(origin) => origin.is_of(uri),
            Server::InSetting(name) => {
                origin_in_setting(name, known).is_some_and(|origin| origin.is_of(uri))
            }
        };
        granted.then_some(grant)
    })
}

fn origin_in_setting<'a>(name: &str, known: &'a mut Option<KnownSetting>) -> Option<&'a WebOrigin> {
    let value = std::env::var(name).ok()?;
    if known.as_ref().is_none_or(|known| known.value != value) {
        *known = Some(KnownSetting {
            origin: WebOrigin::of_url(&value),
            value,
        });
    }
    known.as_ref()?.origin.as_ref()
}

impl WasiHttpHooks for Egress {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN)
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        None
    }

    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Transmission,
    ) -> Box<dyn Future<Output = Exchange> + Send> {
        let client = self.next_client.take();
        let capabilities = self.capabilities.clone();
        let upstreams = &capabilities.grants.upstreams;
        let Some(grant) = grant_for(request.uri(), upstreams, &mut self.known) else {
            let uri = request.uri();
            let wanted = match (uri.scheme_str(), uri.host(), uri.port_u16()) {
                (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
                (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
                _ => "no origin".to_owned(),
            };
            capabilities.refused("outbound HTTP", &wanted);
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        };
        // Held until the response has been read, or is not wanted any more.
        let place = match &capabilities.outbound_places {
            None => None,
            Some(places) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => {
                    let text = format!(
                        "it has {} requests to other servers in progress, as many as its policy's `concurrency` lets it: one more is refused",
                        capabilities.grants.concurrency
                    );
                    capabilities.output().remark(Level::WARN, &text);
                    return Box::new(std::future::ready(Err(Error::ConnectionLimitReached)));
                }
            },
        };
        let setting = grant.bearer_setting.as_deref();
        let bearer = match setting.map_or(Ok(None), |name| Bearer::in_setting(name, &self.bearer)) {
            Ok(bearer) => bearer,
            Err(InvalidBearer) => {
                capabilities.output().remark(
                    Level::ERROR,
                    &format!(
                        "the setting {} holds no bearer token, so its upstream is not called: a token is visible ASCII characters",
                        setting.unwrap_or_default()
                    ),
                );
                return Box::new(std::future::ready(Err(Error::ConfigurationError)));
            }
        };
        self.bearer.clone_from(&bearer);
        let headers = request.headers_mut();
        headers.remove(HOST);
        if let Some(bearer) = &bearer {
            headers.insert(AUTHORIZATION, bearer.header.clone());
        }
        let reach = if grant.private_addresses {
            Reach::Anywhere
        } else {
            Reach::PublicOnly
        };
        let limits = limits(grant.limits, options);
        Box::new(async move {
            let sent = capabilities.services.outbound.send(request, limits, reach);
            let answer = match client {
                None => sent.await,
                Some(client) => tokio::select! {
                    biased;
                    answer = sent => answer,
                    () = client.cancelled() => return Err(Error::ConnectionTerminated),
                },
            };
            let mut response = answer.map_err(|error| {
                let level = match &error {
                    // The client's own doing.
                    SendError::RequestBody(_) => Level::DEBUG,
                    _ => Level::WARN,
                };
                let text = format!("an outbound request failed: {error}");
                capabilities.output().remark(level, &text);
                error_code(error)
            })?;
            if let Some(bearer) = &bearer {
                bearer.remove_from(response.headers_mut(), capabilities.output());
            }
            let response = response.map(|body| {
                let without_bearer = move |mut frame: Frame<_>| {
                    let _until_the_end = &place;
                    if let (Some(bearer), Some(trailers)) = (&bearer, frame.trailers_mut()) {
                        bearer.remove_from(trailers, capabilities.output());
                    }
                    frame
                };
                body.map_frame(without_bearer)
                    .map_err(error_code)
                    .boxed_unsync()
            });
            let done: Transmission = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

/// A shorter token is no secret, and may stand in anything.
const SHORTEST_SECRET: usize = 8;

/// A token on its way to an upstream.
struct Bearer {
    token: String,
    /// Marked as sensitive.
    header: HeaderValue,
}

/// The setting holds what no header can.
struct InvalidBearer;

impl Bearer {
    /// None when the setting is unset or empty; `known` while it has not changed.
    fn in_setting(
        name: &str,
        known: &Option<Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, InvalidBearer> {
        let token = match std::env::var(name) {
            Ok(token) if token.is_empty() => return Ok(None),
            Ok(token) => token,
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => return Err(InvalidBearer),
        };
        if let Some(known) = known.as_ref().filter(|known| known.token == token) {
            return Ok(Some(Arc::clone(known)));
        }
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| InvalidBearer)?;
        header.set_sensitive(true);
        Ok(Some(Arc::new(Self { token, header })))
    }

    /// Takes out every header or trailer field that repeats the token: whoever made the request may not have it.
    fn remove_from(&self, headers: &mut HeaderMap, output: &Arc<OutputLog>) {
        let token = self.token.as_bytes();
        if token.len() < SHORTEST_SECRET {
            return;
        }
        let repeating: Vec<HeaderName> = headers
            .iter()
            .filter(|(name, value)| {
                memmem::find(value.as_bytes(), token).is_some()
                    // Names are in lower case by now.
                    || name.as_str().as_bytes().windows(token.len())
                        .any(|part| part.eq_ignore_ascii_case(token))
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in repeating {
            output.remark(
                Level::WARN,
                "the upstream sent its bearer token back in a header, which is left out",
            );
            headers.remove(name);
        }
    }
}

/// The policy's limits, or the guest's own where they are shorter.
fn limits(granted: Limits, options: Option<RequestOptions>) -> Limits {
    let options = options.unwrap_or_default();
    let shorter =
        |granted: Duration, own: Option<Duration>| own.map_or(granted, |own| own.min(granted));
    Limits {
        connect: shorter(granted.connect, options.connect_timeout),
        first_byte: shorter(granted.first_byte, options.first_byte_timeout),
        idle: shorter(granted.idle, options.between_bytes_timeout),
    }
}

/// What the guest is told: enough to tell one failure from another.
fn error_code(error: SendError) -> Error {
    match error {
        SendError::InvalidRequest(_) => Error::HttpRequestUriInvalid,
        SendError::NotResolved { .. } => Error::DestinationNotFound,
        SendError::Prohibited { .. } => Error::DestinationIpProhibited,
        SendError::Refused { .. } => Error::ConnectionRefused,
        SendError::Unreachable { .. } => Error::DestinationUnavailable,
        SendError::ConnectTimeout { .. } => Error::ConnectionTimeout,
        SendError::Certificate { .. } => Error::TlsCertificateError,
        SendError::Tls { .. } | SendError::Authorities(_) => Error::TlsProtocolError,
        SendError::Closed(_) => Error::HttpResponseIncomplete,
        SendError::Malformed(_) => Error::HttpProtocolError,
        SendError::FirstByteTimeout(_) => Error::HttpResponseTimeout,
        SendError::UploadTimeout(_) => Error::ConnectionWriteTimeout,
        SendError::IdleTimeout(_) => Error::ConnectionReadTimeout,
        SendError::RequestBody(_) => Error::HttpRequestBodySize(None),
        SendError::Cut(_) => Error::ConnectionTerminated,
    }
}

//! The decisions about one request, in the order of contract section 4.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Version};
use hyper::body::Incoming;

use super::authentication::{AppliedPermissions, Authentication, AuthenticationError};
use super::denials::{Consequence, Denials, RequestId, is_always_enforced};
use super::departure::Departure;
use super::headers;
use super::reply::{self, Reply};
use super::target::{Target, TargetError};
use crate::extensions::{Answer, ExtensionRequest, Extensions};
use crate::permissions::{self, CheckError, Decision, Engine};

/// Longest header section, in bytes of names and values.
pub(super) const LONGEST_HEADERS: usize = 64 * 1024;

/// Why a request ends before an extension sees it.
enum Refusal {
    Target(TargetError),
    Authentication(AuthenticationError),
    Denied(RequestId),
    Check(CheckError, RequestId),
    /// It would be allowed, but the gateway does not do it.
    WebSocket,
}

/// Everything that requests are decided by.
pub(super) struct Dispatcher {
    authentication: Authentication,
    engine: Arc<Engine>,
    allow_missing_permissions: bool,
    extensions: Arc<Extensions>,
    denials: Arc<Denials>,
    /// Names requests to extensions, which know those that the permissions allow.
    next_request: AtomicU64,
}

impl Dispatcher {
    pub(super) fn new(
        authentication: Authentication,
        engine: Arc<Engine>,
        allow_missing_permissions: bool,
        extensions: Arc<Extensions>,
        denials: Arc<Denials>,
    ) -> Self {
        Self {
            authentication,
            engine,
            allow_missing_permissions,
            extensions,
            denials,
            next_request: AtomicU64::new(1),
        }
    }

    /// Answers one request. Never fails: every refusal is an answer.
    pub(super) async fn respond(&self, request: Request<Incoming>, departure: &Departure) -> Reply {
        let method = request.method().clone();
        let id = self.next_request.fetch_add(1, Ordering::Relaxed);
        let reply = match header_bytes(request.headers()) {
            bytes if bytes > LONGEST_HEADERS => reply::headers_too_large(LONGEST_HEADERS),
            // What did not end in time comes without its headers.
            _ if Target::is_too_long(request.uri()) => TargetError::TooLong.into(),
            _ => self.decide(request, id, departure).await,
        };
        tracing::debug!(request = format_args!("{id:016x}"), %method, status = reply.status().as_u16(), "answered");
        reply
    }

    async fn decide(&self, request: Request<Incoming>, id: u64, departure: &Departure) -> Reply {
        // RFC 9112 section 3.2.
        if !headers::has_valid_host(request.headers(), request.version() == Version::HTTP_11) {
            return TargetError::Host.into();
        }
        if let Err(refused) = self.authentication.check_password(request.headers()) {
            return refused.into();
        }
        // As it was sent, query included: neither of these has one.
        let target = match request.uri().authority() {
            None => request.uri().path_and_query().map(PathAndQuery::as_str),
            Some(_) => None,
        };
        if *request.method() == Method::GET && target == Some("/") {
            return reply::health();
        }
        if target.is_some_and(is_third_party_call) {
            return reply::third_party_calls_unavailable();
        }
        if !headers::has_known_expectation(request.headers()) {
            return reply::unknown_expectation();
        }
        match self.check(request).await {
            Ok((request, target, permissions)) => {
                self.serve(request, target, permissions, id, departure)
                    .await
            }
            Err(Refusal::Target(error)) => error.into(),
            Err(Refusal::Authentication(error)) => error.into(),
            Err(Refusal::Denied(id)) => reply::not_permitted(id),
            Err(Refusal::Check(error, id)) => reply::check_failed(&error, id),
            Err(Refusal::WebSocket) => reply::websocket_unsupported(),
        }
    }

    /// Normalises the request and has the applicable permissions file decide on it.
    async fn check(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<(Request<Incoming>, Target, AppliedPermissions), Refusal> {
        let target = Target::normalise(request.method(), request.uri()).map_err(Refusal::Target)?;
        let permissions = self
            .authentication
            .permissions(request.headers())
            .map_err(Refusal::Authentication)?;
        // HTTP/1.0 has no upgrades.
        let websocket =
            request.version() == Version::HTTP_11 && headers::asks_for_websocket(request.headers());
        headers::make_public(request.headers_mut());
        if !(permissions.stamp.is_missing() && self.allow_missing_permissions) {
            self.decide_by(&permissions, &request, &target).await?;
        }
        if websocket {
            return Err(Refusal::WebSocket);
        }
        Ok((request, target, permissions))
    }

    async fn decide_by(
        &self,
        permissions: &AppliedPermissions,
        request: &Request<Incoming>,
        target: &Target,
    ) -> Result<(), Refusal> {
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let checked =
            permissions::Request::new(request.method().as_str(), target.url(), headers, None, None);
        let AppliedPermissions { path, stamp } = permissions;
        let outcome = self.engine.judge_at(path, stamp, &checked).await;
        if outcome
            .as_ref()
            .is_ok_and(|verdict| verdict.decision == Decision::Allowed)
        {
            return Ok(());
        }
        let may_go_on = self.may_be_observed(request.method(), target);
        let consequence = self
            .denials
            .take(outcome.as_ref(), path, &checked, may_go_on)
            .await;
        match (consequence, outcome) {
            (Consequence::LetThrough, _) => Ok(()),
            (Consequence::Refused(id), Ok(_)) => Err(Refusal::Denied(id)),
            (Consequence::Refused(id), Err(error)) => Err(Refusal::Check(error, id)),
        }
    }

    /// Whether observe mode extends to such a request: not to what could change or show what somebody may do.
    fn may_be_observed(&self, method: &Method, target: &Target) -> bool {
        let route = self
            .extensions
            .route(method.as_str(), target.path(), target.query());
        !route.is_some_and(|route| route.knows_permissions()) && !is_always_enforced(target.path())
    }

    async fn serve(
        &self,
        mut request: Request<Incoming>,
        target: Target,
        permissions: AppliedPermissions,
        id: u64,
        departure: &Departure,
    ) -> Reply {
        *request.uri_mut() = target.into_uri();
        let mut request = ExtensionRequest {
            request,
            permissions_config: permissions.path,
            permissions_stamp: permissions.stamp,
            id,
        };
        loop {
            let (method, uri) = (request.request.method(), request.request.uri());
            let found = self
                .extensions
                .route(method.as_str(), uri.path(), uri.query());
            let Some(route) = found else {
                return match self.extensions.is_stopping() {
                    true => reply::stopping(),
                    false => reply::not_found(),
                };
            };
            if let Some(limit) = route.body_limit()
                && content_length(request.request.headers()).is_some_and(|length| length > limit)
            {
                return reply::body_too_large(limit);
            }
            let answer = route.answer(request);
            let answer = if route.is_streaming() {
                tokio::select! {
                    biased;
                    answer = answer => answer,
                    () = departure.clone().left_for_good() => return reply::client_left(),
                }
            } else {
                answer.await
            };
            match answer {
                Answer::Response(response) => return response,
                Answer::Declined => return reply::not_found(),
                Answer::Failed => return reply::internal_error(),
                Answer::Unavailable => return reply::unavailable(route.extension()),
                Answer::Overdue => return reply::overdue(route.extension()),
                // Another has taken its place since the table was read.
                Answer::Superseded(unanswered) => request = unanswered,
            }
        }
    }
}

fn is_third_party_call(target: &str) -> bool {
    matches!(target, "/latchkey" | "/latchkey/") || target.starts_with("/gateway/")
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

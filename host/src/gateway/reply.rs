//! The gateway's own answers. Here, and only here, an error becomes a status and a body.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::authentication::AuthenticationError;
use super::denials::RequestId;
use super::headers;
use super::target::TargetError;
use crate::extensions::ResponseBody;
use crate::permissions::CheckError;

pub(super) type Reply = Response<ResponseBody>;

/// Compact JSON, as the original's gateway answers.
fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut response = Response::new(ResponseBody::from(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn error(status: StatusCode, message: &str) -> Reply {
    json(status, &serde_json::json!({ "error": message }))
}

pub(super) fn health() -> Reply {
    json(
        StatusCode::OK,
        &serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    )
}

pub(super) fn not_found() -> Reply {
    let mut response = Response::new(ResponseBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

pub(super) fn not_permitted(id: RequestId) -> Reply {
    forbidden("Error: Request not permitted by the user.", id)
}

pub(super) fn check_failed(check: &CheckError, id: RequestId) -> Reply {
    forbidden(&format!("Error: Permission check failed: {check}"), id)
}

/// The id tells the client nothing; to the operator it names the record in the log.
fn forbidden(message: &str, id: RequestId) -> Reply {
    let mut reply = error(StatusCode::FORBIDDEN, message);
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        reply.headers_mut().insert(headers::REQUEST_ID, id);
    }
    reply
}

pub(super) fn internal_error() -> Reply {
    error(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
}

pub(super) fn unavailable(extension: &str) -> Reply {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!(
            "The extension '{extension}' cannot answer at the moment; try again in a few seconds."
        ),
    )
}

/// Contract section 4 has no answer for it: the connection is about to be closed.
pub(super) fn stopping() -> Reply {
    error(StatusCode::SERVICE_UNAVAILABLE, "The gateway is stopping.")
}

pub(super) fn overdue(extension: &str) -> Reply {
    error(
        StatusCode::GATEWAY_TIMEOUT,
        &format!("The extension '{extension}' did not answer in time."),
    )
}

/// Reaches only a client that closed its sending half and still reads.
pub(super) fn client_left() -> Reply {
    error(
        StatusCode::REQUEST_TIMEOUT,
        "The client closed its side of the connection before the answer was there.",
    )
}

pub(super) fn body_too_large(limit: u64) -> Reply {
    error(
        StatusCode::PAYLOAD_TOO_LARGE,
        &format!("The request body is longer than {limit} bytes."),
    )
}

pub(super) fn headers_too_large(limit: usize) -> Reply {
    error(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        &format!("The request's headers are longer than {limit} bytes."),
    )
}

pub(super) fn unknown_expectation() -> Reply {
    error(
        StatusCode::EXPECTATION_FAILED,
        "The only expectation that can be met is 'Expect: 100-continue'.",
    )
}

pub(super) fn websocket_unsupported() -> Reply {
    error(
        StatusCode::NOT_IMPLEMENTED,
        "WebSocket connections are not supported yet: use plain HTTP requests, or a stream of server-sent events.",
    )
}

/// What is the upstream tool's own territory (contract section 8).
pub(super) fn third_party_calls_unavailable() -> Reply {
    error(
        StatusCode::BAD_GATEWAY,
        "Calls to third-party services are not available: this gateway does not run the latchkey tool. Where agents need \
         them, install it (npm install -g latchkey) and run its own gateway (latchkey gateway) for these two routes.",
    )
}

impl From<TargetError> for Reply {
    fn from(target: TargetError) -> Self {
        let status = match target {
            TargetError::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            TargetError::TooLong => StatusCode::URI_TOO_LONG,
            TargetError::MethodCase(_)
            | TargetError::Form
            | TargetError::Host
            | TargetError::NotAscii
            | TargetError::Malformed(_) => StatusCode::BAD_REQUEST,
        };
        let mut reply = error(status, &target.to_string());
        if status == StatusCode::METHOD_NOT_ALLOWED {
            // RFC 9110 section 15.5.6 requires the field; which methods a path has is the extensions' matter.
            reply.headers_mut().insert(
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
        }
        reply
    }
}

impl From<AuthenticationError> for Reply {
    fn from(refused: AuthenticationError) -> Self {
        let status = match refused {
            AuthenticationError::Password
            | AuthenticationError::Override(_)
            | AuthenticationError::Repeated => StatusCode::UNAUTHORIZED,
            AuthenticationError::MissingFile(_) => StatusCode::BAD_REQUEST,
        };
        error(status, &refused.to_string())
    }
}

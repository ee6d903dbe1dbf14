//! What a request's headers say to the gateway, and which of them go further.
//!
//! The permission check and the extension see the same headers: [`make_public`] has then taken out what concerns this
//! connection alone, and what concerns the gateway alone.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use crate::extensions::is_permitted_trailer;

pub(crate) const PASSWORD: HeaderName = HeaderName::from_static("x-latchkey-gateway-password");
pub(super) const OVERRIDE: HeaderName =
    HeaderName::from_static("x-latchkey-gateway-permissions-override");
/// As [`super::denials::HEADER`].
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-latchkey-gateway-request-id");
const ACCOUNT: HeaderName = HeaderName::from_static("x-latchkey-gateway-account");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const TRAILERS: HeaderName = HeaderName::from_static("trailers");

/// Whether there is one Host, or none where `required` does not hold, and it is a host with at most a port.
pub(super) fn has_valid_host(headers: &HeaderMap, required: bool) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => !required,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

fn is_host(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else {
        return false;
    };
    let (host, port) = match value.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (value, ""),
    };
    let is_name = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
        }
    };
    is_name && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the request expects nothing, or nothing but `100-continue`.
pub(super) fn has_known_expectation(headers: &HeaderMap) -> bool {
    headers
        .get_all(EXPECT)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether the request would change to the WebSocket protocol.
pub(super) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    elements(headers, &UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Takes out what concerns this connection alone (RFC 9110 section 7.6.1, with whatever `Connection` names) and what
/// concerns the gateway alone. `Trailer` keeps the names that may be trailers, if the body can have any.
pub(super) fn make_public(headers: &mut HeaderMap) {
    let trailers = announced_trailers(headers);
    let named: Vec<HeaderName> = elements(headers, &CONNECTION)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        // What delimits the body is not the connection's affair alone, whatever a client says.
        .filter(|name| name != CONTENT_LENGTH)
        .collect();
    for name in &named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRAILERS,
        TRANSFER_ENCODING,
        UPGRADE,
        HOST,
        // The gateway has said, or will say, whether it goes on.
        EXPECT,
        PASSWORD,
        OVERRIDE,
        ACCOUNT,
    ] {
        headers.remove(name);
    }
    if let Some(trailers) = trailers.filter(|_| !named.contains(&TRAILER)) {
        headers.insert(TRAILER, trailers);
    }
}

fn announced_trailers(headers: &HeaderMap) -> Option<HeaderValue> {
    // Only a chunked body has trailers.
    if !headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let mut names: Vec<HeaderName> = Vec::new();
    for name in elements(headers, &TRAILER) {
        if let Ok(name) = HeaderName::from_bytes(name)
            && is_permitted_trailer(&name)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    HeaderValue::try_from(names.join(", "))
        .ok()
        .filter(|value| !value.is_empty())
}

/// The elements of a header that is a list, over all its lines.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests;

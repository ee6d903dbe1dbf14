//! Which headers go no further than the gateway.

use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

pub(super) const PASSWORD: HeaderName = HeaderName::from_static("x-latchkey-gateway-password");
pub(super) const OVERRIDE: HeaderName =
    HeaderName::from_static("x-latchkey-gateway-permissions-override");
const ACCOUNT: HeaderName = HeaderName::from_static("x-latchkey-gateway-account");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const TRAILERS: HeaderName = HeaderName::from_static("trailers");

/// Takes out what concerns this connection alone (RFC 9110 section 7.6.1, with whatever `Connection` names) and what
/// concerns the gateway alone.
pub(super) fn remove_private(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named {
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
        PASSWORD,
        OVERRIDE,
        ACCOUNT,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn nothing_private_is_left() {
        let mut headers = HeaderMap::new();
        for name in [
            "connection",
            "x-named",
            "x-also-named",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "host",
            "x-latchkey-gateway-password",
            "x-latchkey-gateway-permissions-override",
            "x-latchkey-gateway-account",
            "accept",
            "content-type",
        ] {
            headers.insert(name, HeaderValue::from_static("x-named, X-Also-Named"));
        }
        remove_private(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-type"]);
    }
}

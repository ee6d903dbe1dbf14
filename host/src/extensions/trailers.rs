//! Which fields may stand in a trailer section, in either direction.

use http::header::{self, HeaderMap, HeaderName};

/// Fields that say something about a message before its content is read; after it they come too late, or as a trick.
const NEVER: [HeaderName; 24] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::RANGE,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    HeaderName::from_static("trailers"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WARNING,
    header::WWW_AUTHENTICATE,
];
const NEVER_BEGINNING_WITH: [&str; 7] = [
    "content-",
    "forwarded",
    "if-",
    "proxy-",
    "sec-",
    "x-forwarded-",
    "x-latchkey-",
];

/// Whether a trailer of this name may go further: it does not frame, route, authenticate, condition or modify the message, nor
/// describe its content (RFC 9110 section 6.5.1), and no server takes it for one that does. A recipient may merge trailers into
/// the headers after these have been judged.
pub fn is_permitted_trailer(name: &HeaderName) -> bool {
    let text = name.as_str();
    // Some servers make `-` of `_`.
    !text.contains('_')
        && !NEVER.contains(name)
        && !NEVER_BEGINNING_WITH
            .iter()
            .any(|beginning| text.starts_with(beginning))
}

/// Removes what must not stand in a trailer section.
pub(super) fn retain_permitted(trailers: &mut HeaderMap) {
    let refused: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| !is_permitted_trailer(name))
        .cloned()
        .collect();
    for name in refused {
        trailers.remove(name);
    }
}

//! Header fields that belong to one connection, or frame a message: they are never relayed, only set.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use crate::extensions::trailers::is_permitted_trailer;

/// RFC 9110, section 7.6.1, with the names that were in use before it. `Trailer` is not among them: it belongs to the framing.
fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailers"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes what belongs to the connection that the message came by, also what its `Connection` names.
pub(in crate::extensions) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Mostly there is nothing to remove: one look at each name costs less than one search for each of these.
    if !headers.keys().any(is_of_the_connection) {
        return;
    }
    for name in listed_names(headers, header::CONNECTION) {
        headers.remove(name);
    }
    remove_all(headers, is_of_the_connection);
}

fn remove_all(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| unwanted(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// The only `Content-Length`, if there is one.
///
/// # Errors
/// When there are several, even if they agree, or it is no number.
pub(in crate::extensions) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Ambiguous> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Ambiguous)?;
    // `parse` alone would take a sign.
    if values.next().is_some() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Ambiguous);
    }
    text.parse().map(Some).map_err(|_| Ambiguous)
}

/// A message whose length two readers may see differently.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::extensions) struct Ambiguous;

/// Leaves in `Trailer` what may be sent there, and no `Trailer` without such a name.
pub(in crate::extensions) fn sanitise_trailer(headers: &mut HeaderMap) {
    if !headers.contains_key(header::TRAILER) {
        return;
    }
    let mut names = listed_names(headers, header::TRAILER);
    names.retain(is_permitted_trailer);
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    let value = Some(names.join(", ")).filter(|names| !names.is_empty());
    match value.map(HeaderValue::try_from) {
        Some(Ok(value)) => drop(headers.insert(header::TRAILER, value)),
        Some(Err(_)) | None => drop(headers.remove(header::TRAILER)),
    }
}

/// Whether a list-valued field, in any of its lines, has this token.
pub(super) fn lists(headers: &HeaderMap, field: HeaderName, token: &str) -> bool {
    tokens(headers, field).any(|listed| listed.eq_ignore_ascii_case(token))
}

fn listed_names(headers: &HeaderMap, field: HeaderName) -> Vec<HeaderName> {
    tokens(headers, field)
        .filter_map(|token| HeaderName::try_from(token).ok())
        .collect()
}

fn tokens(headers: &HeaderMap, field: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(field)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::trailers::retain_permitted;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = headers(&[
            ("connection", "close, X-One"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
        ]);
        remove_hop_by_hop(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-three"]);
    }

    #[test]
    fn a_content_length_is_one_number_or_none() {
        assert_eq!(content_length(&headers(&[])), Ok(None));
        assert_eq!(
            content_length(&headers(&[("content-length", "0")])),
            Ok(Some(0))
        );
        assert_eq!(
            content_length(&headers(&[("content-length", "18446744073709551615")])),
            Ok(Some(u64::MAX))
        );
        for value in [
            "",
            "+1",
            "-1",
            "1, 1",
            "0x1",
            "1 ",
            "18446744073709551616",
            "1_0",
        ] {
            let headers = headers(&[("content-length", value)]);
            assert_eq!(content_length(&headers), Err(Ambiguous), "{value:?}");
        }
        let twice = headers(&[("content-length", "1"), ("content-length", "1")]);
        assert_eq!(content_length(&twice), Err(Ambiguous));
    }

    #[test]
    fn trailer_names_only_what_may_trail() {
        let mut some = headers(&[
            ("trailer", "Authorization, x-checksum"),
            ("trailer", "Host,X-Time"),
        ]);
        sanitise_trailer(&mut some);
        assert_eq!(
            some.get_all("trailer").iter().collect::<Vec<_>>(),
            ["x-checksum, x-time"]
        );
        let mut none = headers(&[("trailer", "content-length")]);
        sanitise_trailer(&mut none);
        assert!(none.is_empty(), "{none:?}");
        let mut trailers = headers(&[
            ("x-checksum", "1"),
            ("authorization", "Bearer x"),
            ("connection", "close"),
        ]);
        retain_permitted(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-checksum"]);
    }
}

//! A response head as it may be relayed: what framed it on its connection is checked, and taken off.

use http::header;
use http::response::Parts;
use http::{StatusCode, Version};

use super::error::SendError;
use super::fields::{self, Ambiguous};

/// Whether the connection may serve again once the body has ended, as far as the head tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reusable(pub(super) bool);

/// Leaves in the head what is meant for the recipient. `to_head`: the request was a HEAD.
///
/// # Errors
/// When two readers could see the response end at different places, or it is not a response to what was asked.
pub(super) fn sanitise(head: &mut Parts, to_head: bool) -> Result<Reusable, SendError> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(SendError::Malformed(
            "it switches protocols, which nobody asked for",
        ));
    }
    let headers = &mut head.headers;
    let without_content = to_head
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let length = fields::content_length(headers)
        .map_err(|Ambiguous| SendError::Malformed("its Content-Length is repeated or no number"))?;
    let chunked = is_chunked(head)?;
    let headers = &mut head.headers;
    let contradictory = chunked && length.is_some();
    let closes = fields::lists(headers, header::CONNECTION, "close");
    fields::remove_hop_by_hop(headers);
    if contradictory || head.status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    if chunked && !without_content {
        fields::sanitise_trailer(headers);
    } else {
        headers.remove(header::TRAILER);
    }
    // Without either, the end of the connection is the end of the body.
    let delimited = without_content || chunked || length.is_some();
    Ok(Reusable(
        delimited && !contradictory && !closes && head.version == Version::HTTP_11,
    ))
}

/// # Errors
/// When there is a transfer coding other than `chunked`, alone and once: what is beneath it would be relayed as the content.
fn is_chunked(head: &Parts) -> Result<bool, SendError> {
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None)
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && head.version == Version::HTTP_11 =>
        {
            Ok(true)
        }
        _ => Err(SendError::Malformed(
            "its transfer coding is not chunked alone",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn head(status: u16, lines: &[(&'static str, &'static str)]) -> Parts {
        let mut head = http::Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(status).unwrap();
        for (name, value) in lines {
            head.headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        head
    }

    fn names(head: &Parts) -> Vec<&str> {
        head.headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn what_framed_the_response_is_taken_off() {
        let mut response = head(
            200,
            &[
                ("transfer-encoding", "Chunked"),
                ("connection", "keep-alive, x-hop"),
                ("keep-alive", "timeout=5"),
                ("x-hop", "1"),
                ("upgrade", "h2c"),
                ("proxy-authenticate", "Basic"),
                ("trailer", "x-sum, content-length"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
            ],
        );
        assert_eq!(sanitise(&mut response, false).unwrap(), Reusable(true));
        assert_eq!(names(&response), ["set-cookie", "trailer"]);
        assert_eq!(response.headers["trailer"], "x-sum");
        assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn a_response_with_two_lengths_is_refused() {
        for lines in [
            &[("content-length", "1"), ("content-length", "2")][..],
            &[("content-length", "1"), ("content-length", "1")],
            &[("content-length", "1, 1")],
            &[("content-length", "+1")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "gzip")],
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
        ] {
            let refused = sanitise(&mut head(200, lines), false);
            assert!(
                matches!(refused, Err(SendError::Malformed(_))),
                "{lines:?}: {refused:?}"
            );
        }
        let switching = sanitise(&mut head(101, &[]), false);
        assert!(
            matches!(switching, Err(SendError::Malformed(_))),
            "{switching:?}"
        );
    }

    #[test]
    fn a_connection_is_not_used_again_after_a_close_or_a_contradiction() {
        for lines in [
            &[("connection", "close"), ("content-length", "1")][..],
            &[
                ("connection", "x"),
                ("connection", "y, Close"),
                ("content-length", "1"),
            ],
            &[("transfer-encoding", "chunked"), ("content-length", "1")],
            &[],
        ] {
            let mut response = head(200, lines);
            assert_eq!(
                sanitise(&mut response, false).unwrap(),
                Reusable(false),
                "{lines:?}"
            );
            assert!(!response.headers.contains_key("connection"));
        }
        let mut old = head(
            200,
            &[("content-length", "1"), ("connection", "keep-alive")],
        );
        old.version = Version::HTTP_10;
        assert_eq!(sanitise(&mut old, false).unwrap(), Reusable(false));
        let mut contradictory = head(
            200,
            &[("transfer-encoding", "chunked"), ("content-length", "1")],
        );
        assert_eq!(
            sanitise(&mut contradictory, false).unwrap(),
            Reusable(false)
        );
        assert_eq!(names(&contradictory), [""; 0]);
    }

    #[test]
    fn a_response_without_content_keeps_the_length_that_it_announces() {
        let mut to_head = head(200, &[("content-length", "7"), ("trailer", "x")]);
        assert_eq!(sanitise(&mut to_head, true).unwrap(), Reusable(true));
        assert_eq!(names(&to_head), ["content-length"]);
        let mut not_modified = head(304, &[("content-length", "7")]);
        assert_eq!(sanitise(&mut not_modified, false).unwrap(), Reusable(true));
        assert_eq!(names(&not_modified), ["content-length"]);
        let mut no_content = head(204, &[("content-length", "0")]);
        assert_eq!(sanitise(&mut no_content, false).unwrap(), Reusable(true));
        assert_eq!(names(&no_content), [""; 0]);
    }
}

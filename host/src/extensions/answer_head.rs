//! The head of a guest's answer: what of it may reach a client.
//!
//! Past [`check`] it is one answer whatever the guest wrote: its status ends a request, its framing is the gateway's own, it says
//! nothing about a connection that the guest does not know, and it is no longer than clients read.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::outbound::fields::{content_length, remove_hop_by_hop, sanitise_trailer};

/// All names and values together, in bytes; common clients give up at little more.
const LARGEST: usize = 256 * 1024;
/// Fields; a map of them has an end, too.
const MOST: usize = 1024;

/// Why a head cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error("the status {0} ends no request: it must be 200 to 599")]
    Status(u16),
    #[error("the header field '{}' has characters that no field may have", .0.escape_debug())]
    Field(String),
    #[error("its header fields are more than {MOST}, or have more than {} KiB together", LARGEST / 1024)]
    TooLarge,
    #[error("its content-length is repeated, or is no number")]
    Length,
}

/// Whether what follows is all there already, or comes as the guest writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Whole,
    Streamed,
}

/// A status and fields as a guest gave them.
pub(super) fn parse(
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
) -> Result<(StatusCode, HeaderMap), HeadError> {
    let status = StatusCode::from_u16(status).map_err(|_| HeadError::Status(status))?;
    if fields.len() > MOST {
        return Err(HeadError::TooLarge);
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let parsed = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value),
        );
        let (Ok(parsed), Ok(value)) = parsed else {
            return Err(HeadError::Field(name.chars().take(80).collect()));
        };
        headers.append(parsed, value);
    }
    Ok((status, headers))
}

/// Takes out what is not the guest's to say, and refuses what cannot be mended.
pub(super) fn check<B>(response: &mut Response<B>, content: Content) -> Result<(), HeadError> {
    let status = response.status().as_u16();
    if !(200..600).contains(&status) {
        return Err(HeadError::Status(status));
    }
    let headers = response.headers_mut();
    let size = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    if headers.len() > MOST || size.sum::<usize>() > LARGEST {
        return Err(HeadError::TooLarge);
    }
    remove_hop_by_hop(headers);
    match content {
        Content::Whole => {
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::TRAILER);
        }
        Content::Streamed => {
            content_length(headers).map_err(|_| HeadError::Length)?;
            sanitise_trailer(headers);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        status: u16,
        fields: &[(&str, &str)],
        content: Content,
    ) -> Result<Vec<String>, HeadError> {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let (status, headers) = parse(status, fields.collect())?;
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        check(&mut response, content)?;
        let names = response.headers().keys();
        Ok(names.map(|name| name.as_str().to_owned()).collect())
    }

    #[test]
    fn only_a_status_that_ends_a_request_passes() {
        for status in [200, 204, 304, 404, 599] {
            assert_eq!(checked(status, &[], Content::Whole), Ok(Vec::new()));
        }
        for status in [0, 99, 100, 101, 103, 199, 600, 999, 1000] {
            let refused = checked(status, &[], Content::Streamed);
            assert_eq!(refused, Err(HeadError::Status(status)));
        }
    }

    #[test]
    fn nothing_is_said_of_a_connection() {
        let fields = [
            ("connection", "x-mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "gzip"),
            ("x-kept", "1"),
        ];
        for content in [Content::Whole, Content::Streamed] {
            let left = checked(200, &fields, content);
            assert_eq!(left, Ok(vec!["x-kept".to_owned()]));
        }
    }

    #[test]
    fn a_length_is_the_gateways_to_say_or_unambiguous() {
        for lengths in [&["1"][..], &["1", "2"], &["5", "5"], &["+5"], &["five"]] {
            let fields: Vec<_> = lengths
                .iter()
                .map(|length| ("content-length", *length))
                .collect();
            assert_eq!(checked(200, &fields, Content::Whole), Ok(Vec::new()));
            let streamed = checked(200, &fields, Content::Streamed);
            let is_sound = lengths == ["1"];
            assert_eq!(streamed.is_ok(), is_sound, "{lengths:?}");
        }
    }

    #[test]
    fn a_head_without_measure_is_refused() {
        let long = "x".repeat(LARGEST);
        let refused = checked(200, &[("x-long", &long)], Content::Whole);
        assert_eq!(refused, Err(HeadError::TooLarge));
        let many = vec![("x-many", "1"); MOST + 1];
        let refused = checked(200, &many, Content::Whole);
        assert_eq!(refused, Err(HeadError::TooLarge));
    }

    #[test]
    fn a_field_that_would_be_two_lines_is_refused_by_name() {
        for (name, value) in [
            ("x-a", "1\r\nx-b: 2"),
            ("x a", "1"),
            ("", "1"),
            ("x\n", "1"),
        ] {
            let refused = checked(200, &[(name, value)], Content::Whole);
            assert_eq!(refused, Err(HeadError::Field(name.to_owned())));
        }
    }
}

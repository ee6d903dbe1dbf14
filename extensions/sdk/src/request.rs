//! An inbound request, after the gateway has authenticated and checked it.
//!
//! Path and query are the normalised ones that the permission check saw, still percent-encoded. The body is taken at most
//! once and never beyond the limit that the caller sets.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use wit_bindgen::StreamResult;

use crate::bindings::wasi::http::types::{ErrorCode, Method, Request as WasiRequest};
use crate::bindings::wit_future;

/// The most that one read of a body asks for.
const READ_SIZE: usize = 64 * 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body is longer than the limit; no more than that was taken.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body ended before its end: the client left, or broke the protocol.
    #[error("the request body ended early")]
    Interrupted,
    /// The body was read before.
    #[error("the request body was read before")]
    Taken,
}

/// An inbound request.
#[derive(Debug)]
pub struct Request {
    method: String,
    path: String,
    query: Option<String>,
    wasi: Option<WasiRequest>,
}

impl Request {
    pub(crate) fn from_wasi(wasi: WasiRequest) -> Self {
        let target = wasi.get_path_with_query().unwrap_or_else(|| "/".to_owned());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method_name(wasi.get_method()),
            path,
            query,
            wasi: Some(wasi),
        }
    }

    /// The HTTP method, in the case that it was sent in.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, percent-encoded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path's segments, percent-decoded. The path `/a/b/` has three, the last one empty.
    pub fn path_segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.path
            .strip_prefix('/')
            .unwrap_or(&self.path)
            .split('/')
            .map(decode_component)
    }

    /// The query, without `?` and undecoded.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The first query parameter of this name, decoded as a form is.
    pub fn query_param(&self, name: &str) -> Option<String> {
        query_param(self.query()?, name)
    }

    /// Every value of the header `name`, in order.
    pub fn header(&self, name: &str) -> Vec<Vec<u8>> {
        self.wasi
            .as_ref()
            .map(|wasi| wasi.get_headers().get(name))
            .unwrap_or_default()
    }

    /// Every header, in order; a name may repeat. None are left once the body has been read.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.wasi
            .as_ref()
            .map(|wasi| wasi.get_headers().copy_all())
            .unwrap_or_default()
    }

    /// The whole body, if it has at most `limit` bytes.
    pub async fn read_body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let wasi = self.wasi.take().ok_or(BodyError::Taken)?;
        let (_, outcome) = wit_future::new(|| Ok(()));
        let (mut stream, trailers) = WasiRequest::consume_body(wasi, outcome);
        let mut body = Vec::new();
        loop {
            // One byte more than the limit tells a body that ends there from one that goes on.
            let wanted = READ_SIZE.min((limit - body.len()).saturating_add(1));
            let (status, chunk) = stream.read(Vec::with_capacity(wanted)).await;
            if body.len() + chunk.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            if body.is_empty() {
                body = chunk;
            } else {
                body.extend_from_slice(&chunk);
            }
            if status == StreamResult::Dropped {
                break;
            }
        }
        drop(stream);
        match trailers.await {
            Ok(_) => Ok(body),
            // The gateway's own limit for this extension is the lower one.
            Err(ErrorCode::HttpRequestBodySize(size)) => Err(BodyError::TooLarge {
                limit: size
                    .and_then(|size| usize::try_from(size).ok())
                    .unwrap_or(limit),
            }),
            Err(_) => Err(BodyError::Interrupted),
        }
    }

    /// The request as WASI sees it, for what this type does not cover; none when the body has been read.
    pub fn into_wasi(self) -> Option<WasiRequest> {
        self.wasi
    }
}

fn method_name(method: Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    };
    name.to_owned()
}

/// Percent-decodes a path segment. One that is no UTF-8 once decoded, or has a `%` that starts no escape, stays as it is.
pub fn decode_component(raw: &str) -> Cow<'_, str> {
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let whole = *first != b'%'
            || matches!(tail, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
        if !whole {
            return Cow::Borrowed(raw);
        }
        rest = tail;
    }
    percent_decode_str(raw)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(raw))
}

fn query_param(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_form(key) == name).then(|| decode_form(value))
        })
}

fn decode_form(raw: &str) -> String {
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_parameter_is_form_decoded_and_the_first_wins() {
        assert_eq!(
            query_param("a=1&path=%2Fx+y%2B&path=z", "path").as_deref(),
            Some("/x y+")
        );
        assert_eq!(query_param("follow", "follow").as_deref(), Some(""));
        assert_eq!(query_param("&&a=1", "b"), None);
        assert_eq!(query_param("", ""), None);
        assert_eq!(query_param("p%61th=1", "path").as_deref(), Some("1"));
    }

    #[test]
    fn a_segment_that_cannot_be_decoded_stays_raw() {
        assert_eq!(decode_component("a%20b"), "a b");
        assert_eq!(decode_component("%2e%2E"), "..");
        assert_eq!(decode_component("a%2"), "a%2");
        assert_eq!(decode_component("%41%zz"), "%41%zz");
        assert_eq!(decode_component("%ff%41"), "%ff%41");
    }
}

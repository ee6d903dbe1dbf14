//! What a request is for: one normalised path and query, for the permission check and the extension alike.
//!
//! The request target is parsed once, by the WHATWG URL parser, as a path of `https://latchkey-self.invalid:1`. What the check
//! saw and what the extension sees cannot differ, since both are given this result. Percent-encoded
//! characters stay so: what a server behind an extension could make of them is for that extension to judge. `docs/http.md` has
//! the decisions in a table.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::uri::PathAndQuery;
use http::{Method, Uri};
use url::Url;

use crate::permissions::GATEWAY_ORIGIN;

/// The origin that requests to the gateway itself are checked as (contract section 4, step 5). Parsing it each time would
/// cost more than everything else here.
static SELF_ORIGIN: LazyLock<Option<Url>> = LazyLock::new(|| Url::parse(GATEWAY_ORIGIN).ok());

/// Longest request target, in bytes.
pub(super) const LONGEST_TARGET: usize = 16 * 1024;

/// Why a request has no place here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("The method {0} is not supported.")]
    Method(Method),
    #[error("Methods are case-sensitive: the method '{0}' must be sent as '{upper}'.", upper = .0.as_str().to_ascii_uppercase())]
    MethodCase(Method),
    #[error("The request target must be a path that starts with '/'.")]
    Form,
    #[error("The request target is longer than {LONGEST_TARGET} bytes.")]
    TooLong,
    #[error("The request must have one Host header, which names a host and at most a port.")]
    Host,
    #[error("The request target must be ASCII: percent-encode every other character as UTF-8.")]
    NotAscii,
    #[error("The request target cannot be parsed: {0}.")]
    Malformed(String),
}

/// A normalised request target.
#[derive(Debug)]
pub(super) struct Target {
    /// Under the gateway's own origin.
    url: Url,
    path_and_query: PathAndQuery,
}

impl Target {
    /// Whether the target is longer than any that is looked at.
    pub(super) fn is_too_long(uri: &Uri) -> bool {
        sent(uri).len() > LONGEST_TARGET
    }

    /// Normalises an origin-form target.
    ///
    /// # Errors
    /// Another form (absolute, authority, `*`), a method that would have the gateway act as another kind of server (CONNECT,
    /// TRACE) or that the check could take for another one, or a path that is no URL path.
    pub(super) fn normalise(method: &Method, uri: &Uri) -> Result<Self, TargetError> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(TargetError::Method(method.clone()));
        }
        // The check sees methods in upper case, and `get` is not GET to everyone.
        if method
            .as_str()
            .bytes()
            .any(|byte| byte.is_ascii_lowercase())
        {
            return Err(TargetError::MethodCase(method.clone()));
        }
        if uri.scheme().is_some() || uri.authority().is_some() || !uri.path().starts_with('/') {
            return Err(TargetError::Form);
        }
        let raw = sent(uri);
        if raw.len() > LONGEST_TARGET {
            return Err(TargetError::TooLong);
        }
        if !raw.is_ascii() {
            return Err(TargetError::NotAscii);
        }
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        let mut url = SELF_ORIGIN
            .clone()
            .ok_or_else(|| TargetError::Malformed("the gateway has no origin".to_owned()))?;
        url.set_path(&without_dot_segments(path));
        url.set_query(query);
        let path_and_query = PathAndQuery::try_from(&url[url::Position::BeforePath..])
            .map_err(|error| TargetError::Malformed(error.to_string()))?;
        Ok(Self {
            url,
            path_and_query,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Percent-encoded.
    pub(super) fn path(&self) -> &str {
        self.url.path()
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// What the extension is given as the request's target.
    pub(super) fn into_uri(self) -> Uri {
        Uri::from(self.path_and_query)
    }
}

fn sent(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", PathAndQuery::as_str)
}

/// The path with `.` and `..` resolved. The URL parser does so too, but for a `..` after a segment like `C:`, which it keeps
/// under every scheme where the standard does so for files alone.
fn without_dot_segments(path: &str) -> Cow<'_, str> {
    if path.split(['/', '\\']).all(|segment| dots(segment) == 0) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split(['/', '\\']).skip(1).peekable();
    while let Some(segment) = segments.next() {
        match dots(segment) {
            0 => {
                kept.push(segment);
                continue;
            }
            2 => drop(kept.pop()),
            _ => {}
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

/// How many dots the segment consists of, encoded ones included, if there are one or two and nothing else.
fn dots(segment: &str) -> usize {
    const ENCODED: usize = "%2e".len();
    if segment.len() > 2 * ENCODED || !segment.starts_with(['.', '%']) {
        return 0;
    }
    match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "." => 1,
        ".." => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;

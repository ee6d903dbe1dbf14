//! What a request is for: one normalised path and query, for the permission check and the extension alike.
//!
//! The request target is parsed once, by the WHATWG URL parser, as a path of `https://latchkey-self.invalid:1`. What the check
//! saw and what the extension sees cannot differ, since both are given this result.

use http::uri::PathAndQuery;
use http::{Method, Uri};
use url::Url;

/// The origin that requests to the gateway itself are checked as (contract section 4, step 5).
const SELF_ORIGIN: &str = "https://latchkey-self.invalid:1";

/// Longest request target, in bytes.
pub(super) const LONGEST_TARGET: usize = 16 * 1024;

/// Why a request has no place here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("The method {0} is not supported.")]
    Method(Method),
    #[error("The request target must be a path that starts with '/'.")]
    Form,
    #[error("The request target is longer than {LONGEST_TARGET} bytes.")]
    TooLong,
    #[error("The request must have one Host header.")]
    Host,
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
    /// Normalises an origin-form target.
    ///
    /// # Errors
    /// Another form (absolute, authority, `*`), a method that would have the gateway act as another kind of server (CONNECT,
    /// TRACE), or a path that is no URL path.
    pub(super) fn normalise(method: &Method, uri: &Uri) -> Result<Self, TargetError> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(TargetError::Method(method.clone()));
        }
        if uri.scheme().is_some() || uri.authority().is_some() || !uri.path().starts_with('/') {
            return Err(TargetError::Form);
        }
        let raw = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if raw.len() > LONGEST_TARGET {
            return Err(TargetError::TooLong);
        }
        let (path, query) = raw.split_at(raw.find('?').unwrap_or(raw.len()));
        let url = Url::parse(&format!(
            "{SELF_ORIGIN}{}{query}",
            without_dot_segments(path)
        ))
        .map_err(|error| TargetError::Malformed(error.to_string()))?;
        // A path that began with `/` cannot have changed the origin; a parser that thought so must not be followed.
        if !url.as_str().starts_with(SELF_ORIGIN) || url.fragment().is_some() {
            return Err(TargetError::Form);
        }
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

/// The path with `.` and `..` resolved. The URL parser does so too, but for a `..` after a segment like `C:`, which it keeps
/// under every scheme where the standard does so for files alone.
fn without_dot_segments(path: &str) -> String {
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
    format!("/{}", kept.join("/"))
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
mod tests {
    use super::*;

    fn normalise(target: &str) -> Result<String, TargetError> {
        let uri: Uri = target.parse().unwrap();
        Target::normalise(&Method::GET, &uri).map(|target| target.into_uri().to_string())
    }

    #[test]
    fn paths_are_normalised_as_browsers_do() {
        for (target, normal) in [
            ("/", "/"),
            ("/permissions/../permissions/self", "/permissions/self"),
            ("/permissions/%2e%2E/x", "/x"),
            ("/a\\..\\b", "/b"),
            ("/a%2fb", "/a%2fb"),
            ("//x/permissions/self", "//x/permissions/self"),
            ("/a?b=%20&c=d", "/a?b=%20&c=d"),
            ("/a?../b", "/a?../b"),
            ("/..", "/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a//..", "/a/"),
            ("/C:/../a", "/a"),
            ("/a/C:/%2e%2E/../b", "/b"),
            ("/a/c|/..", "/a/"),
            ("/a/...", "/a/..."),
            ("/a/%2e%2e%2e", "/a/%2e%2e%2e"),
        ] {
            assert_eq!(normalise(target).as_deref(), Ok(normal), "{target}");
        }
    }

    #[test]
    fn only_a_path_is_a_target() {
        for target in ["http://latchkey-self.invalid:1/x", "http://h/x", "h:1", "*"] {
            assert_eq!(normalise(target), Err(TargetError::Form), "{target}");
        }
    }

    #[test]
    fn methods_of_other_kinds_of_server_are_refused() {
        let uri = Uri::from_static("/");
        for method in [Method::TRACE, Method::CONNECT] {
            assert!(
                matches!(
                    Target::normalise(&method, &uri),
                    Err(TargetError::Method(_))
                ),
                "{method}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_checked_is_what_is_passed_on(path in "/[ -~]{0,40}") {
            if let Ok(uri) = path.parse::<Uri>()
                && let Ok(target) = Target::normalise(&Method::GET, &uri)
            {
                proptest::prop_assert!(target.path().split('/').all(|segment| dots(segment) == 0));
                let (path, query) = (target.path().to_owned(), target.query().map(str::to_owned));
                let uri = target.into_uri();
                proptest::prop_assert_eq!(uri.path(), path);
                proptest::prop_assert_eq!(uri.query().map(str::to_owned), query);
            }
        }
    }
}

//! The URL that the Minds API is at.

use mngr_extension::Destination;
use url::{ParseError, Position, Url};

use crate::URL_SETTING;

/// Why there is nothing to pass requests on to. Says nothing of the setting's value, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotConfigured {
    #[error("environment variable {URL_SETTING} is not set")]
    Unset,
    #[error("environment variable {URL_SETTING} is not a valid URL: {0}")]
    Invalid(ParseError),
    #[error(
        "environment variable {URL_SETTING} uses the unsupported scheme '{0}:' (expected http:// or https://)"
    )]
    Scheme(String),
}

/// Where the API is, and the path that all of its own lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) destination: Destination,
    /// Without the slash at its end.
    path: String,
}

impl Base {
    /// The base that a setting names. User name, query and fragment are passed over.
    pub(crate) fn parse(setting: &str) -> Result<Self, NotConfigured> {
        let url = Url::parse(setting).map_err(NotConfigured::Invalid)?;
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(NotConfigured::Scheme(other.to_owned())),
        };
        let path = url.path();
        Ok(Self {
            destination: Destination {
                https,
                authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            },
            path: path.strip_suffix('/').unwrap_or(path).to_owned(),
        })
    }

    /// The path and query of a request for `rest`, which is empty or begins with `/`. An empty query is none, as for
    /// browsers and Node.js.
    pub(crate) fn target(&self, rest: &str, query: Option<&str>) -> String {
        let rest = if rest.is_empty() { "/" } else { rest };
        let query = query.filter(|query| !query.is_empty());
        let mut target = String::with_capacity(
            self.path.len() + rest.len() + query.map_or(0, |query| 1 + query.len()),
        );
        target.push_str(&self.path);
        target.push_str(rest);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(setting: &str, rest: &str) -> String {
        Base::parse(setting).unwrap().target(rest, None)
    }

    #[test]
    fn a_request_goes_below_the_base_path() {
        for (setting, rest, expected) in [
            ("http://127.0.0.1:8420", "", "/"),
            ("http://127.0.0.1:8420", "/", "/"),
            ("http://127.0.0.1:8420/", "/x", "/x"),
            ("http://127.0.0.1:8420", "//x", "//x"),
            ("http://127.0.0.1:8420/api", "", "/api/"),
            ("http://127.0.0.1:8420/api/", "/x/", "/api/x/"),
            ("http://127.0.0.1:8420/api//", "/x", "/api//x"),
            ("http://127.0.0.1:8420/a b?q=1#f", "/x", "/a%20b/x"),
        ] {
            assert_eq!(target(setting, rest), expected, "{setting} {rest}");
        }
    }

    #[test]
    fn the_query_follows_as_it_is() {
        let base = Base::parse("http://h/api").unwrap();
        assert_eq!(base.target("/x", Some("a=%20&b")), "/api/x?a=%20&b");
        assert_eq!(base.target("/x", Some("")), "/api/x");
    }

    #[test]
    fn the_authority_is_host_and_port_alone() {
        for (setting, https, authority) in [
            ("http://127.0.0.1:8420", false, "127.0.0.1:8420"),
            ("HTTP://EXAMPLE.com:80", false, "example.com"),
            ("https://example.com:443/x", true, "example.com"),
            ("https://user:secret@[::1]:8443/x", true, "[::1]:8443"),
        ] {
            let destination = Base::parse(setting).unwrap().destination;
            assert_eq!(
                (destination.https, destination.authority.as_str()),
                (https, authority),
                "{setting}"
            );
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused_without_repeating_it() {
        for setting in [
            "not a url",
            "http://",
            "http://user:hunter2@host:99999/",
            "ftp://user:hunter2@host/",
            "localhost:8420",
            "//host/x",
            "/x",
        ] {
            let reason = Base::parse(setting).unwrap_err().to_string();
            assert!(
                reason.contains(URL_SETTING) && !reason.contains("hunter2"),
                "{setting}: {reason}"
            );
        }
    }
}

//! Where a request goes: what a connection is made to, and may be used again for.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::header::HeaderValue;
use http::uri::Scheme;

use super::address::Reach;
use super::error::SendError;

/// A host, as the URI names it but in lower case, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostPort {
    /// IPv6 addresses stand without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

impl HostPort {
    /// The address, when the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Requests of equal origins may share connections, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) tls: bool,
    pub(super) target: HostPort,
    /// A connection that was made without a check must not serve a request that needs one.
    pub(super) reach: Reach,
}

impl Origin {
    /// # Errors
    /// When the URI is not absolute, or neither http nor https.
    pub(super) fn of(uri: &Uri, reach: Reach) -> Result<Self, SendError> {
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(SendError::InvalidRequest("its URI is not http or https")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(SendError::InvalidRequest("its URI names no host"))?;
        let host = without_brackets(host);
        // A port that is there and is none must not become the default one.
        let port = match (uri.port(), uri.port_u16()) {
            (_, Some(port)) if port != 0 => port,
            (None, None) => default_port(tls),
            _ => return Err(SendError::InvalidRequest("its URI names no usable port")),
        };
        Ok(Self {
            tls,
            target: HostPort {
                host: host.to_ascii_lowercase().into(),
                port,
            },
            reach,
        })
    }

    /// What `Host` says: no user, and no port where it goes without saying.
    pub(super) fn host_header(&self) -> Result<HeaderValue, SendError> {
        let HostPort { host, port } = &self.target;
        let value = match (host.contains(':'), *port == default_port(self.tls)) {
            (false, true) => HeaderValue::from_str(host),
            (false, false) => HeaderValue::try_from(format!("{host}:{port}")),
            (true, true) => HeaderValue::try_from(format!("[{host}]")),
            (true, false) => HeaderValue::try_from(format!("[{host}]:{port}")),
        };
        value.map_err(|_| {
            SendError::InvalidRequest("its host has characters that a header cannot hold")
        })
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str) -> Result<Origin, SendError> {
        Origin::of(&uri.parse().unwrap(), Reach::Anywhere)
    }

    #[test]
    fn the_host_header_names_host_and_port_and_nothing_else() {
        for (uri, host) in [
            ("http://example.com/a?b", "example.com"),
            ("http://Example.COM:80/", "example.com"),
            ("https://example.com:443/", "example.com"),
            ("https://example.com:80/", "example.com:80"),
            ("http://user:secret@example.com:8080/", "example.com:8080"),
            ("http://[::1]/", "[::1]"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://user@[2001:db8::1]:80/", "[2001:db8::1]"),
        ] {
            assert_eq!(origin(uri).unwrap().host_header().unwrap(), host, "{uri}");
        }
    }

    #[test]
    fn a_uri_without_scheme_host_or_usable_port_is_refused() {
        for uri in [
            "/path",
            "ftp://example.com/",
            "example.com:80",
            "http://example.com:0/",
        ] {
            let refused = origin(uri);
            assert!(
                matches!(refused, Err(SendError::InvalidRequest(_))),
                "{uri}: {refused:?}"
            );
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_port_and_reach() {
        let base = origin("http://example.com/").unwrap();
        assert_eq!(base, origin("http://u:p@EXAMPLE.com:80/other").unwrap());
        for other in [
            "https://example.com/",
            "http://example.org/",
            "http://example.com:81/",
        ] {
            assert_ne!(base, origin(other).unwrap(), "{other}");
        }
        let public =
            Origin::of(&"http://example.com/".parse().unwrap(), Reach::PublicOnly).unwrap();
        assert_ne!(base, public);
    }
}

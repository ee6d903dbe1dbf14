//! Which servers an extension may send requests to, and what the gateway adds to them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::extensions::outbound::Limits;
use crate::extensions::worlds::{self, Manifest};

/// Scheme, host and port of an http or https URL. Equal for two URLs that lead to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::extensions) struct WebOrigin {
    https: bool,
    /// Lower-case; an IPv6 address in brackets.
    host: String,
    port: u16,
}

impl WebOrigin {
    /// The origin of a URL; none when it is no http or https URL.
    pub(in crate::extensions) fn of_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Self {
            https,
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// Whether a request to `uri` goes to this origin. A user name or an odd port is never part of one.
    pub(in crate::extensions) fn is_of(&self, uri: &http::Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        let default = match scheme {
            "https" if self.https => 443,
            "http" if !self.https => 80,
            _ => return false,
        };
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None => default,
        };
        !authority.as_str().contains('@')
            && port == self.port
            && authority.host().eq_ignore_ascii_case(&self.host)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.https {
            true => ("https", 443),
            false => ("http", 80),
        };
        write!(formatter, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(formatter, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// How the policy names a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::extensions) enum Server {
    Fixed(WebOrigin),
    /// The origin of the URL in this setting, as it is at each request.
    InSetting(String),
}

impl Server {
    fn is(&self, asked: &worlds::Origin) -> bool {
        match (self, asked) {
            (Self::Fixed(granted), worlds::Origin::Fixed(asked)) => {
                WebOrigin::of_url(asked).as_ref() == Some(granted)
            }
            (Self::InSetting(granted), worlds::Origin::Setting(asked)) => granted == asked,
            _ => false,
        }
    }
}

/// One server that an extension may reach.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub(in crate::extensions) struct UpstreamGrant {
    pub(in crate::extensions) server: Server,
    /// The setting whose value is sent there as bearer token.
    pub(in crate::extensions) bearer_setting: Option<String>,
    /// Whether a fixed server may be at an address that is not a public one. A setting's may: the operator has set it.
    pub(in crate::extensions) private_addresses: bool,
    pub(in crate::extensions) limits: Limits,
}

impl UpstreamGrant {
    /// The server in a setting, with the usual limits.
    pub(in crate::extensions) fn in_setting(name: &str, bearer_setting: &str) -> Self {
        Self {
            server: Server::InSetting(name.to_owned()),
            bearer_setting: Some(bearer_setting.to_owned()),
            private_addresses: true,
            limits: Limits::default(),
        }
    }
}

/// What of `granted` the manifest asks for.
pub(super) fn asked_for(granted: Vec<UpstreamGrant>, manifest: &Manifest) -> Vec<UpstreamGrant> {
    granted
        .into_iter()
        .filter_map(|mut grant| {
            let mut asked = manifest
                .upstreams
                .iter()
                .filter(|asked| grant.server.is(&asked.origin));
            let first = asked.next()?;
            if !std::iter::once(first)
                .chain(asked)
                .any(|asked| asked.bearer.is_some() && asked.bearer == grant.bearer_setting)
            {
                grant.bearer_setting = None;
            }
            Some(grant)
        })
        .collect()
}

/// An `[[upstreams]]` entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    origin: Option<String>,
    setting: Option<String>,
    bearer_setting: Option<String>,
    #[serde(default)]
    private_addresses: bool,
    connect_timeout_seconds: Option<f64>,
    first_byte_timeout_seconds: Option<f64>,
    idle_timeout_seconds: Option<f64>,
}

/// Why an `[[upstreams]]` entry means nothing.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error(
        "an upstream has either `origin` (\"https://api.example.com\") or `setting` (the name of one that holds a URL)"
    )]
    Server,
    #[error("the upstream's origin '{0}' is no http or https URL")]
    Origin(String),
    #[error("`{0}` must be a number of seconds above zero")]
    Seconds(&'static str),
}

impl TryFrom<Entry> for UpstreamGrant {
    type Error = EntryError;

    fn try_from(entry: Entry) -> Result<Self, EntryError> {
        let server = match (entry.origin, entry.setting) {
            (Some(origin), None) => match WebOrigin::of_url(&origin) {
                Some(parsed) => Server::Fixed(parsed),
                None => return Err(EntryError::Origin(origin)),
            },
            (None, Some(setting)) => Server::InSetting(setting),
            _ => return Err(EntryError::Server),
        };
        let usual = Limits::default();
        Ok(Self {
            private_addresses: entry.private_addresses || matches!(server, Server::InSetting(_)),
            server,
            bearer_setting: entry.bearer_setting,
            limits: Limits {
                connect: limit(
                    "connect_timeout_seconds",
                    entry.connect_timeout_seconds,
                    usual.connect,
                )?,
                first_byte: limit(
                    "first_byte_timeout_seconds",
                    entry.first_byte_timeout_seconds,
                    usual.first_byte,
                )?,
                idle: limit(
                    "idle_timeout_seconds",
                    entry.idle_timeout_seconds,
                    usual.idle,
                )?,
            },
        })
    }
}

fn limit(key: &'static str, seconds: Option<f64>, usual: Duration) -> Result<Duration, EntryError> {
    match seconds {
        None => Ok(usual),
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|limit| !limit.is_zero())
            .ok_or(EntryError::Seconds(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_of(origin: &str, uri: &str) -> bool {
        WebOrigin::of_url(origin)
            .unwrap()
            .is_of(&uri.parse().unwrap())
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (origin, uri) in [
            ("http://127.0.0.1:8420/api", "http://127.0.0.1:8420/x"),
            ("http://EXAMPLE.com", "http://example.com:80/"),
            ("https://example.com:443", "https://Example.com/"),
            ("http://[::1]:8420", "http://[::1]:8420/x?y"),
        ] {
            assert!(is_of(origin, uri), "{origin} {uri}");
        }
        for (origin, uri) in [
            ("http://127.0.0.1:8420", "https://127.0.0.1:8420/"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8421/"),
            ("http://127.0.0.1:8420", "http://127.0.0.1/"),
            ("http://127.0.0.1:8420", "http://localhost:8420/"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420@evil/"),
            ("http://127.0.0.1:8420", "http://evil@127.0.0.1:8420/"),
            ("http://127.0.0.1", "http://[::ffff:127.0.0.1]/"),
            ("https://example.com", "https://example.com.evil/"),
            ("http://127.0.0.1:8420", "/x"),
        ] {
            assert!(!is_of(origin, uri), "{origin} {uri}");
        }
    }

    #[test]
    fn an_entry_names_one_server_and_sane_limits() {
        let entry = |text: &str| toml::from_str::<UpstreamGrant>(text);
        let grant = entry("setting = \"API\"\nidle_timeout_seconds = 0.5").unwrap();
        assert_eq!(grant.server, Server::InSetting("API".to_owned()));
        assert_eq!(grant.limits.idle, Duration::from_millis(500));
        assert!(
            !entry("origin = \"https://a.example\"")
                .unwrap()
                .private_addresses
        );
        for (text, named) in [
            ("", "origin"),
            (
                "origin = \"https://a.example\"\nsetting = \"API\"",
                "either",
            ),
            ("origin = \"ftp://a.example\"", "ftp://a.example"),
            (
                "setting = \"API\"\nidle_timeout_seconds = 0.0",
                "idle_timeout_seconds",
            ),
            (
                "setting = \"API\"\nconnect_timeout_seconds = -1.0",
                "connect_timeout_seconds",
            ),
            ("setting = \"API\"\nbearer = \"KEY\"", "bearer"),
        ] {
            let error = entry(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_bearer_token_goes_only_where_it_was_asked_for_and_granted() {
        let manifest = |bearer: Option<&str>| Manifest {
            upstreams: vec![worlds::Upstream {
                origin: worlds::Origin::Setting("API".to_owned()),
                bearer: bearer.map(str::to_owned),
            }],
            ..super::super::tests::manifest()
        };
        let granted = || vec![UpstreamGrant::in_setting("API", "KEY")];
        for (asked, bearer) in [
            (Some("KEY"), Some("KEY")),
            (Some("OTHER"), None),
            (None, None),
        ] {
            let effective = asked_for(granted(), &manifest(asked));
            assert_eq!(effective.len(), 1, "{asked:?}");
            assert_eq!(effective[0].bearer_setting.as_deref(), bearer, "{asked:?}");
        }
        let elsewhere = vec![UpstreamGrant::in_setting("OTHER_API", "KEY")];
        assert!(asked_for(elsewhere, &manifest(Some("KEY"))).is_empty());
    }
}

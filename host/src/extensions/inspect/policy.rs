//! A policy that grants what a manifest asks for, for a person to read, cut down, and put beside the component.

use std::fmt::Write;
use std::net::IpAddr;

use toml::Value;
use url::{Host, Url};

use crate::extensions::outbound::Reach;
use crate::extensions::worlds::{Manifest, Origin, PermissionFilesAccess, Upstream};

/// The policy as TOML, each grant on a line of its own.
pub(super) fn granting(manifest: &Manifest) -> String {
    let mut text = String::new();
    let routes = manifest.routes.iter();
    // With a query parameter or without, the grant is the same.
    list(
        &mut text,
        "routes",
        routes.map(|route| format!("{} {}", route.method, route.path)),
    );
    list(
        &mut text,
        "collections",
        manifest.collections.iter().cloned(),
    );
    list(&mut text, "topics", manifest.topics.iter().cloned());
    list(&mut text, "settings", manifest.settings.iter().cloned());
    match manifest.permission_files {
        PermissionFilesAccess::None => {}
        PermissionFilesAccess::Read => line(&mut text, "permission_files", "read"),
        PermissionFilesAccess::Edit => line(&mut text, "permission_files", "edit"),
    }
    if manifest.catalog {
        line(&mut text, "catalog", true);
    }
    for upstream in &manifest.upstreams {
        table(&mut text, upstream);
    }
    text
}

fn list(text: &mut String, key: &str, values: impl Iterator<Item = String>) {
    let mut written: Vec<String> = Vec::new();
    for value in values {
        if !written.contains(&value) {
            written.push(value);
        }
    }
    if written.is_empty() {
        return;
    }
    let lines: String = written
        .into_iter()
        .map(|value| format!("  {},\n", Value::from(value)))
        .collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = [\n{lines}]");
}

fn line(text: &mut String, key: &str, value: impl Into<Value>) {
    let _ = writeln!(text, "{key} = {}", value.into());
}

fn table(text: &mut String, upstream: &Upstream) {
    text.push_str("\n[[upstreams]]\n");
    match &upstream.origin {
        Origin::Fixed(origin) => {
            line(text, "origin", origin.as_str());
            if is_private(origin) {
                line(text, "private_addresses", true);
            }
        }
        Origin::Setting(setting) => line(text, "setting", setting.as_str()),
    }
    if let Some(bearer) = &upstream.bearer {
        line(text, "bearer_setting", bearer.as_str());
    }
}

/// Whether the origin itself says that it is no server of the internet; of a name nobody knows before it is resolved.
fn is_private(origin: &str) -> bool {
    let url = Url::parse(origin).ok();
    let address: IpAddr = match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(name)) => return name == "localhost" || name.ends_with(".localhost"),
        None => return false,
    };
    !Reach::PublicOnly.includes(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::policy::{FilesAccess, Grants};
    use crate::extensions::worlds::Route;

    fn manifest() -> Manifest {
        let route = |method: &str, parameter: Option<&str>| Route {
            method: method.to_owned(),
            path: "/notes/\"quoted\"".to_owned(),
            query_parameter: parameter.map(str::to_owned),
            streaming: false,
        };
        let upstream = |origin, bearer: Option<&str>| Upstream {
            origin,
            bearer: bearer.map(str::to_owned),
        };
        let fixed = |origin: &str| Origin::Fixed(origin.to_owned());
        Manifest {
            name: "notes".to_owned(),
            version: "1.0.0".to_owned(),
            routes: vec![
                route("GET", None),
                route("GET", Some("follow")),
                route("*", None),
            ],
            collections: vec!["notes".to_owned(), "notes/v2".to_owned()],
            topics: vec!["notes\\changed".to_owned()],
            settings: vec!["NOTES_COLOUR".to_owned()],
            permission_files: PermissionFilesAccess::Read,
            catalog: true,
            upstreams: vec![
                upstream(fixed("https://api.example.com"), Some("NOTES_KEY")),
                upstream(fixed("http://[::1]:8080"), None),
                upstream(fixed("http://10.0.0.7"), None),
                upstream(fixed("http://localhost:8080"), None),
                upstream(Origin::Setting("NOTES_URL".to_owned()), None),
            ],
        }
    }

    #[test]
    fn the_policy_grants_exactly_what_is_asked_for() {
        let manifest = manifest();
        let text = granting(&manifest);
        let granted: Grants =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let effective = granted.clone().restricted_to(&manifest);
        assert_eq!(granted.collections, effective.collections, "{text}");
        assert_eq!(granted.collections.len(), 2, "{text}");
        assert!(
            granted.topics.contains("notes\\changed") && granted.topics.len() == 1,
            "{text}"
        );
        assert!(
            granted.settings.contains("NOTES_COLOUR") && granted.settings.len() == 1,
            "{text}"
        );
        assert_eq!(granted.permission_files, FilesAccess::Read, "{text}");
        assert!(granted.catalog, "{text}");
        assert_eq!(granted.routes.len(), 2, "{text}");
        for route in &manifest.routes {
            assert!(granted.allows_route(&route.method, &route.path), "{text}");
        }
        let reach: Vec<_> = effective
            .upstreams
            .iter()
            .map(|upstream| {
                (
                    upstream.bearer_setting.as_deref(),
                    upstream.private_addresses,
                )
            })
            .collect();
        assert_eq!(
            reach,
            [
                (Some("NOTES_KEY"), false),
                (None, true),
                (None, true),
                (None, true),
                (None, true)
            ],
            "{text}"
        );
    }

    #[test]
    fn each_grant_stands_on_a_line_of_its_own() {
        let text = granting(&manifest());
        for line in [
            "routes = [",
            "  \"notes/v2\",",
            "permission_files = \"read\"",
            "catalog = true",
            "[[upstreams]]",
            "origin = \"https://api.example.com\"",
            "setting = \"NOTES_URL\"",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}\n{text}"
            );
        }
    }

    #[test]
    fn who_asks_for_nothing_is_granted_nothing() {
        let nothing = Manifest {
            routes: Vec::new(),
            collections: Vec::new(),
            topics: Vec::new(),
            settings: Vec::new(),
            permission_files: PermissionFilesAccess::None,
            catalog: false,
            upstreams: Vec::new(),
            ..manifest()
        };
        assert_eq!(granting(&nothing), "");
    }
}

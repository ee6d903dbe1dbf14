//! What a manifest may say. Past [`check`], nothing in it is too long, too much, ambiguous or dangerous by itself; whether it is
//! granted is the policy's matter.
//!
//! A manifest is written by whoever wrote the component. What it says goes into file names, logs, terminals and policies.

mod text;

use std::collections::HashSet;

use self::text::{
    is_collection, is_method, is_name, is_origin, is_path, is_plain, is_setting, is_word,
};
use super::output::printable;
use super::routes::{Pattern, RouteError};
use super::worlds::{Manifest, Origin, Route};
use crate::store::{keys, paths};

const MOST_ROUTES: usize = 256;
/// Of collections, topics, settings and upstreams each.
const MOST_OTHERS: usize = 64;
/// Characters of a wrong value that an error shows.
const SHOWN: usize = 80;

/// Settings with which one could do everything: no operator means to give them away.
const WITHHELD_SETTINGS: [&str; 2] = [keys::ENVIRONMENT_NAME, "LATCHKEY_GATEWAY_LISTEN_PASSWORD"];

/// What is wrong with a manifest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("it lists {count} {of}, and {most} are the most")]
    TooMany {
        of: &'static str,
        count: usize,
        most: usize,
    },
    #[error("{what} '{value}' is not usable: {rule}")]
    Malformed {
        what: &'static str,
        /// Fit to be printed.
        value: String,
        rule: &'static str,
    },
    #[error("it lists the route '{0}' twice")]
    RouteTwice(String),
    #[error(
        "the collection '{0}' would stand where the gateway keeps files of its own: give it another name"
    )]
    OccupiedCollection(String),
    #[error("no extension gets the setting '{0}', which opens the gateway itself")]
    WithheldSetting(&'static str),
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// Whether the manifest can be used, or the first thing that is wrong with it.
pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    require(
        "its name",
        &manifest.name,
        "it is lower-case letters, digits and '-', at most 64, and does not begin with '-'",
        is_name,
    )?;
    require(
        "its version",
        &manifest.version,
        "it is printable ASCII without spaces, at most 64 characters",
        |version| is_word(version, 64),
    )?;
    check_routes(&manifest.routes)?;
    at_most(MOST_OTHERS, "collections", &manifest.collections)?;
    for collection in &manifest.collections {
        check_collection(collection)?;
    }
    at_most(MOST_OTHERS, "topics", &manifest.topics)?;
    for topic in &manifest.topics {
        require(
            "the topic",
            topic,
            "it is printable ASCII without spaces, at most 128 characters",
            |topic| is_word(topic, 128),
        )?;
    }
    at_most(MOST_OTHERS, "settings", &manifest.settings)?;
    for setting in &manifest.settings {
        check_setting(setting)?;
    }
    at_most(MOST_OTHERS, "upstreams", &manifest.upstreams)?;
    for upstream in &manifest.upstreams {
        match &upstream.origin {
            Origin::Setting(setting) => check_setting(setting)?,
            Origin::Fixed(origin) => require(
                "the upstream",
                origin,
                "it is scheme, host and port of an http or https URL and no more, at most 300 characters",
                is_origin,
            )?,
        }
        if let Some(bearer) = &upstream.bearer {
            check_setting(bearer)?;
        }
    }
    Ok(())
}

fn check_routes(routes: &[Route]) -> Result<(), ManifestError> {
    at_most(MOST_ROUTES, "routes", routes)?;
    let mut seen = HashSet::new();
    for route in routes {
        require(
            "the method",
            &route.method,
            "it is upper-case letters and '-', at most 32, or '*'",
            is_method,
        )?;
        require(
            "the path",
            &route.path,
            "it is printable ASCII without spaces, '?' and '#', percent-encoded, at most 512 characters",
            is_path,
        )?;
        if let Some(parameter) = &route.query_parameter {
            require(
                "the query parameter",
                parameter,
                "it is 1 to 128 printable characters",
                |parameter| is_plain(parameter, 128),
            )?;
        }
        let pattern = Pattern::parse(&route.path)?;
        if !seen.insert((pattern, &route.method, &route.query_parameter)) {
            return Err(ManifestError::RouteTwice(format!(
                "{} {}",
                route.method, route.path
            )));
        }
    }
    Ok(())
}

/// A collection is a directory below the latchkey directory, beside the gateway's own.
fn check_collection(collection: &str) -> Result<(), ManifestError> {
    require(
        "the collection",
        collection,
        "it is 1 to 4 parts with '/' between them, each of lower-case letters, digits, '-' and '_', at most 64",
        is_collection,
    )?;
    let first = collection.split('/').next().unwrap_or(collection);
    if paths::is_occupied(first) {
        return Err(ManifestError::OccupiedCollection(collection.to_owned()));
    }
    Ok(())
}

fn check_setting(setting: &str) -> Result<(), ManifestError> {
    require(
        "the setting",
        setting,
        "it is letters, digits and '_', at most 128, and does not begin with a digit",
        is_setting,
    )?;
    match WITHHELD_SETTINGS.iter().find(|name| **name == setting) {
        Some(name) => Err(ManifestError::WithheldSetting(name)),
        None => Ok(()),
    }
}

fn at_most<T>(most: usize, of: &'static str, list: &[T]) -> Result<(), ManifestError> {
    if list.len() > most {
        return Err(ManifestError::TooMany {
            of,
            count: list.len(),
            most,
        });
    }
    Ok(())
}

fn require(
    what: &'static str,
    value: &str,
    rule: &'static str,
    is_met: impl Fn(&str) -> bool,
) -> Result<(), ManifestError> {
    if is_met(value) {
        return Ok(());
    }
    Err(ManifestError::Malformed {
        what,
        value: printable(value, SHOWN),
        rule,
    })
}

#[cfg(test)]
mod tests;

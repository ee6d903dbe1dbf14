//! The service catalog's answers. It is parsed once a version of its file.

use std::cell::RefCell;
use std::collections::HashMap;

use mngr_extension::{Response, Version, catalog, pretty_json};
use serde_json::{Map, Value};

use crate::refusal::Refusal;

const JSON: &str = "application/json; charset=utf-8";

/// A parsed catalog, with its answers as they are sent.
#[derive(Debug)]
pub struct Catalog {
    version: Version,
    all: Vec<u8>,
    services: HashMap<String, Vec<u8>>,
}

impl Catalog {
    fn parse(version: Version, content: &[u8]) -> Result<Self, Refusal> {
        let malformed = |error: serde_json::Error| Refusal::CatalogMalformed(error.to_string());
        let entries: Map<String, Value> = serde_json::from_slice(content).map_err(malformed)?;
        let services = entries
            .iter()
            .map(|(name, scopes)| Ok((name.clone(), pretty_json(scopes)?)))
            .collect::<Result<_, _>>()
            .map_err(malformed)?;
        Ok(Self {
            version,
            all: pretty_json(&entries).map_err(malformed)?,
            services,
        })
    }
}

/// The whole catalog.
pub async fn all(kept: &RefCell<Option<Catalog>>) -> Result<Response, Refusal> {
    refresh(kept).await?;
    let all = kept
        .borrow()
        .as_ref()
        .map(|catalog| catalog.all.clone())
        .unwrap_or_default();
    Ok(Response::bytes(200, JSON, all))
}

/// The entries of one service.
pub async fn service(kept: &RefCell<Option<Catalog>>, name: &str) -> Result<Response, Refusal> {
    if !is_service_name(name) {
        return Err(Refusal::InvalidServiceName(name.to_owned()));
    }
    refresh(kept).await?;
    let entries = kept
        .borrow()
        .as_ref()
        .and_then(|catalog| catalog.services.get(name).cloned());
    entries
        .map(|entries| Response::bytes(200, JSON, entries))
        .ok_or_else(|| Refusal::ServiceMissing(name.to_owned()))
}

async fn refresh(kept: &RefCell<Option<Catalog>>) -> Result<(), Refusal> {
    let known = kept.borrow().as_ref().map(|catalog| catalog.version);
    if let Some(document) = catalog::read(known).await? {
        let parsed = Catalog::parse(document.version, &document.content)?;
        kept.replace(Some(parsed));
    }
    Ok(())
}

/// `^[a-z0-9][a-z0-9-]*$`
fn is_service_name(name: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(is_alphanumeric)
        && name
            .bytes()
            .all(|byte| byte == b'-' || is_alphanumeric(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_are_lower_case_words() {
        assert!(
            ["slack", "9", "a-b-", "google-gmail"]
                .into_iter()
                .all(is_service_name)
        );
        assert!(
            !["", "-a", "A", "a/b", "..", "a\n", "é", "__proto__"]
                .into_iter()
                .any(is_service_name)
        );
    }

    #[test]
    fn a_catalog_is_answered_as_it_stands() {
        let catalog = Catalog::parse(1, br#"{"b":[{"scope":"s"}],"a":[]}"#).expect("a catalog");
        assert_eq!(
            catalog.all,
            b"{\n  \"b\": [\n    {\n      \"scope\": \"s\"\n    }\n  ],\n  \"a\": []\n}\n"
        );
        assert_eq!(
            catalog.services.get("a").map(Vec::as_slice),
            Some(b"[]\n".as_slice())
        );
        assert!(Catalog::parse(1, b"[]").is_err());
    }
}

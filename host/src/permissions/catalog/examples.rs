//! What the tests know of a source file beyond the program: the example requests, and a request as the engine sees it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::embedded::SERVICES;

/// A scope or permission that has a schema, with its examples.
#[derive(Deserialize)]
pub(super) struct Exemplified {
    #[serde(alias = "scope")]
    pub name: String,
    #[serde(default)]
    pub schema: Option<Value>,
    #[serde(default)]
    pub examples: Examples,
}

/// Requests as `"<METHOD> <url>"`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

/// One service's source file: its scopes, and under each its permissions.
pub(super) fn service(name: &str) -> Vec<(Exemplified, Vec<Exemplified>)> {
    let source = SERVICES
        .iter()
        .find(|(service, _)| *service == name)
        .unwrap_or_else(|| panic!("no service {name}"))
        .1;
    let scopes: Vec<Value> = serde_json::from_str(source).expect("a list of scopes");
    let parse = |value: &Value| {
        serde_json::from_value::<Exemplified>(value.clone())
            .unwrap_or_else(|error| panic!("{value}: {error}"))
    };
    scopes
        .iter()
        .map(|scope| {
            (
                parse(scope),
                scope["permissions"]
                    .as_array()
                    .expect("permissions")
                    .iter()
                    .map(parse)
                    .collect(),
            )
        })
        .collect()
}

/// The request object that schemas are written over, for a request without a body.
pub(super) fn request(example: &str) -> Value {
    let (method, url) = example
        .split_once(' ')
        .unwrap_or_else(|| panic!("{example:?} is not '<METHOD> <url>'"));
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{example:?}: {error}"));
    json!({
        "protocol": url.scheme(),
        "domain": url.host_str(),
        "port": url.port_or_known_default(),
        "path": url.path(),
        "method": method,
        "headers": {},
        "queryParams": url.query_pairs().into_owned().collect::<BTreeMap<String, String>>(),
    })
}

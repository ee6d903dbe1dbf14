//! What the tests know of a source file beyond the program: the example requests, and a request as the engine sees it.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::embedded::SERVICES;

/// A scope or permission as its source file has it.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(alias = "scope")]
    pub name: String,
    pub schema: Option<Value>,
    #[serde(default)]
    pub examples: Examples,
    #[serde(skip)]
    validator: Option<Validator>,
}

/// Requests as `"<METHOD> <url>"`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

impl Entry {
    fn parse(source: &Value) -> Self {
        let mut entry: Self = serde_json::from_value(source.clone())
            .unwrap_or_else(|error| panic!("{source}: {error}"));
        entry.validator = entry.schema.as_ref().map(|schema| {
            jsonschema::draft202012::new(schema)
                .unwrap_or_else(|error| panic!("{}: {error}", entry.name))
        });
        entry
    }

    /// Whether the schema matches a request; one that is not written matches none.
    pub fn allows(&self, example: &str) -> bool {
        self.validator
            .as_ref()
            .is_some_and(|validator| validator.is_valid(&request(example)))
    }
}

/// One service's source file: its scopes, and under each its permissions.
pub(super) fn service(name: &str) -> Vec<(Entry, Vec<Entry>)> {
    let source = SERVICES
        .iter()
        .find(|(service, _)| *service == name)
        .unwrap_or_else(|| panic!("no service {name}"))
        .1;
    let scopes: Vec<Value> = serde_json::from_str(source).expect("a list of scopes");
    let permissions = |scope: &Value| {
        scope["permissions"]
            .as_array()
            .expect("permissions")
            .iter()
            .map(Entry::parse)
            .collect()
    };
    scopes
        .iter()
        .map(|scope| (Entry::parse(scope), permissions(scope)))
        .collect()
}

/// The request object that schemas are written over, for a request without a body.
fn request(example: &str) -> Value {
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

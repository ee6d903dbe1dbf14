//! What the tests know of a source file beyond the program: the example requests, and what the engine answers them.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::embedded::SERVICES;
use crate::permissions::schema::{Compiler, NodeId, Registry, Schemas};
use crate::permissions::{BuiltinSchemas, Request};

/// A scope or permission as its source file has it.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(alias = "scope")]
    pub name: String,
    pub schema: Option<Value>,
    #[serde(default)]
    pub examples: Examples,
    #[serde(skip)]
    compiled: OnceCell<(Schemas, NodeId)>,
}

/// Requests as `"<METHOD> <url>"`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

#[derive(Deserialize)]
struct Scope {
    #[serde(flatten)]
    entry: Entry,
    permissions: Vec<Entry>,
}

impl Entry {
    /// Whether a rule that names this entry would match a request.
    pub fn allows(&self, example: &str) -> bool {
        let (schemas, root) = self.compiled.get_or_init(|| compile(&self.name));
        schemas
            .matches(*root, request(example).as_value())
            .unwrap_or_else(|fault| panic!("{example}: {fault:?}"))
    }
}

/// One service's source file: its scopes, and under each its permissions.
pub(super) fn service(name: &str) -> Vec<(Entry, Vec<Entry>)> {
    let (_, source) = SERVICES
        .iter()
        .find(|(service, _)| *service == name)
        .unwrap_or_else(|| panic!("no service {name}"));
    let scopes: Vec<Scope> =
        serde_json::from_str(source).unwrap_or_else(|error| panic!("{name}: {error}"));
    scopes
        .into_iter()
        .map(|Scope { entry, permissions }| (entry, permissions))
        .collect()
}

/// The schema that the engine finds under a name.
fn compile(name: &str) -> (Schemas, NodeId) {
    let registry = Registry {
        defined: &HashMap::new(),
        builtin: BuiltinSchemas::standard(),
    };
    let mut compiler = Compiler::new(&registry);
    let root = compiler
        .named(name)
        .unwrap_or_else(|fault| panic!("{name}: {fault:?}"))
        .unwrap_or_else(|| panic!("{name} is unknown"));
    (compiler.finish(), root)
}

fn request(example: &str) -> Request {
    let (method, url) = example
        .split_once(' ')
        .unwrap_or_else(|| panic!("{example:?} is not '<METHOD> <url>'"));
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{example:?}: {error}"));
    Request::new(method, &url, std::iter::empty(), None, None)
}

//! What the tests know of a source file beyond the program: the example requests, and what the engine answers them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    pub allow: Vec<Example>,
    pub deny: Vec<Example>,
}

/// A request: `"<METHOD> <url>"`, or an object that gives such a one a body.
#[derive(Clone, Deserialize)]
#[serde(from = "Written")]
pub(super) struct Example {
    request: String,
    body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Bare(String),
    WithBody(WithBody),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithBody {
    request: String,
    body: Value,
}

impl From<Written> for Example {
    fn from(written: Written) -> Self {
        let (request, body) = match written {
            Written::Bare(request) => (request, None),
            Written::WithBody(WithBody { request, body }) => (request, Some(body)),
        };
        Self { request, body }
    }
}

impl Example {
    fn parts(&self) -> (&str, &str) {
        self.request
            .split_once(' ')
            .unwrap_or_else(|| panic!("{self} is not '<METHOD> <url>'"))
    }

    pub fn url(&self) -> &str {
        self.parts().1
    }

    /// The same request with another method.
    pub fn with_method(&self, method: &str) -> Self {
        Self {
            request: format!("{method} {}", self.url()),
            body: self.body.clone(),
        }
    }

    /// The same request to another address.
    pub fn with_url(&self, url: &str) -> Self {
        Self {
            request: format!("{} {url}", self.parts().0),
            body: self.body.clone(),
        }
    }

    /// The request as the engine sees it: a body that is a string is a form, any other JSON.
    fn taken_apart(&self) -> Request {
        let (method, url) = self.parts();
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{self}: {error}"));
        let (content_type, body) = match &self.body {
            None => return Request::new(method, &url, std::iter::empty(), None, None),
            Some(Value::String(form)) => ("application/x-www-form-urlencoded", form.clone()),
            Some(json) => ("application/json", json.to_string()),
        };
        let headers = [("content-type", content_type.as_bytes())];
        let body = Some(body.as_bytes());
        Request::new(method, &url, headers.into_iter(), body, None)
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.request)?;
        match &self.body {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Scope {
    #[serde(flatten)]
    entry: Entry,
    permissions: Vec<Entry>,
}

impl Entry {
    /// Whether a rule that names this entry would match a request.
    pub fn allows(&self, example: &Example) -> bool {
        let (schemas, root) = self.compiled.get_or_init(|| compile(&self.name));
        schemas
            .matches(*root, example.taken_apart().as_value())
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

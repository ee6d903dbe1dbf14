//! What the tests know of a source file beyond the program: the example requests, and what the engine answers them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use serde_json::Value;
use url::Url;

use super::order::SERVICES;
use super::source::{Example, Examples, Permission, Scope, Service};
use crate::permissions::schema::{Compiler, NodeId, Registry, Schemas};
use crate::permissions::{BuiltinSchemas, Request};

/// A scope or permission as its source file has it.
pub(super) struct Entry {
    pub name: String,
    pub schema: Option<Value>,
    pub examples: Examples,
    compiled: OnceCell<(Schemas, NodeId)>,
}

impl From<Permission> for Entry {
    fn from(permission: Permission) -> Self {
        Self {
            name: permission.name,
            schema: permission.schema,
            examples: permission.examples,
            compiled: OnceCell::new(),
        }
    }
}

impl Example {
    fn method_and_url(&self) -> (&str, &str) {
        self.parts()
            .unwrap_or_else(|| panic!("{self} is not '<METHOD> <url>'"))
    }

    pub fn url(&self) -> &str {
        self.method_and_url().1
    }

    pub fn is_post(&self) -> bool {
        self.method_and_url().0 == "POST"
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
            request: format!("{} {url}", self.method_and_url().0),
            body: self.body.clone(),
        }
    }

    /// The request as the engine sees it: a body that is a string is a form, any other JSON.
    fn taken_apart(&self) -> Request {
        let (method, url) = self.method_and_url();
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

impl Entry {
    /// Whether a rule that names this entry would match a request.
    pub fn allows(&self, example: &Example) -> bool {
        let (schemas, root) = self.compiled.get_or_init(|| compile(&self.name));
        schemas
            .matches(*root, example.taken_apart().as_value())
            .unwrap_or_else(|fault| panic!("{example}: {fault:?}"))
    }
}

/// Every source file, in catalog order.
pub(super) fn services() -> impl Iterator<Item = Service> {
    SERVICES.iter().map(|name| {
        let path = format!("{}/catalog/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let content =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Service::read(name, &content).unwrap_or_else(|problem| panic!("{problem}"))
    })
}

/// Every scope, and under each its permissions.
pub(super) fn scopes() -> impl Iterator<Item = (Entry, Vec<Entry>)> {
    services().flat_map(|service| service.scopes).map(|scope| {
        let Scope {
            scope: name,
            schema,
            examples,
            permissions,
            ..
        } = scope;
        let entry = Entry {
            name,
            schema,
            examples,
            compiled: OnceCell::new(),
        };
        (entry, permissions.into_iter().map(Entry::from).collect())
    })
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

//! The request as an explanation shows it, and other requests that are almost the same.

use serde_json::Value;

use crate::permissions::{Request, may_be_secret};

const HIDDEN: &str = "<hidden>";

/// The request as schemas see it, without the values whose names say that they are secret.
pub(super) fn shown(request: &Request) -> Value {
    let mut shown = request.as_value().clone();
    for table in ["headers", "queryParams"] {
        let members = shown.get_mut(table).and_then(Value::as_object_mut);
        for (name, value) in members.into_iter().flatten() {
            if may_be_secret(name) {
                *value = HIDDEN.into();
            }
        }
    }
    shown
}

/// The request with another value for some of its properties.
pub(super) fn with(request: &Request, changes: &[(&str, Value)]) -> Option<Request> {
    let mut value = request.as_value().clone();
    let members = value.as_object_mut()?;
    for (name, value) in changes {
        members.insert((*name).to_owned(), value.clone());
    }
    Request::restore(value)
}

/// A property of the request that is text.
pub(super) fn text<'r>(request: &'r Request, property: &str) -> &'r str {
    let value = request.as_value().get(property);
    value.and_then(Value::as_str).unwrap_or_default()
}

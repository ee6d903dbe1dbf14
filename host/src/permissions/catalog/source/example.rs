//! The example requests of a source file.

use serde::Deserialize;
use serde_json::Value;

/// Requests that a schema must match, and such as it must not.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    pub allow: Vec<Example>,
    pub deny: Vec<Example>,
}

/// A request: `"<METHOD> <url>"`, or an object that gives such a one a body.
#[derive(Clone, Deserialize)]
#[serde(from = "Written")]
pub struct Example {
    pub request: String,
    pub body: Option<Value>,
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
    /// The method and the URL, when it is written as the format asks.
    pub fn parts(&self) -> Option<(&str, &str)> {
        let (method, url) = self.request.split_once(' ')?;
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_url = url.starts_with("https://") || url.starts_with("http://");
        (is_method && is_url).then_some((method, url))
    }
}

//! A request taken apart, as schemas and hooks see it.

use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded;

/// The properties that a request can have.
pub(super) const PROPERTY_NAMES: [&str; 10] = [
    "protocol",
    "domain",
    "port",
    "path",
    "method",
    "headers",
    "queryParams",
    "body",
    "parsedBody",
    "customMetadata",
];

/// A request as one JSON object. Nothing of it is shown by `Debug`: headers and bodies carry secrets.
#[derive(Clone)]
pub struct Request(Value);

impl Request {
    /// Takes a request apart. `url` is what the WHATWG parser made of the address; its path stays percent-encoded.
    ///
    /// Header names are lower-cased and the values of a repeated header joined; bytes are taken as Latin-1, as an HTTP/1
    /// server has them. An absent or empty body is no property at all, and `parsedBody` exists only where the content type
    /// is JSON and the body parses.
    pub fn new<'a>(
        method: &str,
        url: &Url,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: Option<&[u8]>,
        custom_metadata: Option<Map<String, Value>>,
    ) -> Self {
        let headers = join_headers(headers);
        let body = body.map(decode_body).filter(|body| !body.is_empty());
        let parsed_body = body
            .as_deref()
            .filter(|_| is_json(headers.get("content-type").and_then(Value::as_str)))
            .and_then(|body| serde_json::from_str::<Value>(body).ok());
        let default_port = if url.scheme() == "https" { 443 } else { 80 };

        let mut request = Map::new();
        let mut put = |name: &str, value: Value| request.insert(name.to_owned(), value);
        put("protocol", url.scheme().into());
        put(
            "domain",
            url.host_str().unwrap_or_default().to_lowercase().into(),
        );
        put("port", url.port().unwrap_or(default_port).into());
        put("path", url.path().into());
        put("method", method.to_uppercase().into());
        put("headers", headers.into());
        put("queryParams", query_parameters(url).into());
        if let Some(body) = body {
            put("body", body.into());
        }
        if let Some(parsed) = parsed_body {
            put("parsedBody", parsed);
        }
        if let Some(metadata) = custom_metadata {
            put("customMetadata", metadata.into());
        }
        Self(Value::Object(request))
    }

    /// The request as the JSON object that schemas are matched against.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

fn join_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Map<String, Value> {
    let mut joined = Map::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let value = latin1(value.trim_ascii());
        match joined.get_mut(&name) {
            // Several of these cannot be one list, so the last one stands.
            Some(Value::String(earlier)) if name == "set-cookie" => *earlier = value,
            Some(Value::String(earlier)) => {
                earlier.push_str(if name == "cookie" { "; " } else { ", " });
                earlier.push_str(&value);
            }
            _ => {
                joined.insert(name, value.into());
            }
        }
    }
    joined
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn query_parameters(url: &Url) -> Map<String, Value> {
    let query = url.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

/// The body as text: UTF-8, without a byte order mark.
fn decode_body(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    String::from_utf8_lossy(body).into_owned()
}

fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type
        .and_then(|content_type| content_type.split(';').next())
        .map(|media_type| media_type.trim().to_lowercase());
    media_type
        .is_some_and(|media_type| media_type == "application/json" || media_type.ends_with("+json"))
}

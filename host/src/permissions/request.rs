//! A request taken apart, as schemas and hooks see it.

use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded;

use super::parsed_body;

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

/// Where a request to the gateway's own routes is addressed for its check (contract section 4).
pub const GATEWAY_ORIGIN: &str = "https://latchkey-self.invalid:1";

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
            .and_then(parsed_body::parse);
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

    /// The request that [`Self::as_value`] has shown before; none when `decomposed` does not have the shape of one.
    pub fn restore(decomposed: Value) -> Option<Self> {
        let request = decomposed.as_object()?;
        let is_text = |name: &str| request.get(name).is_some_and(Value::is_string);
        let is_table = |name: &str| {
            let table = request.get(name).and_then(Value::as_object);
            table.is_some_and(|table| table.values().all(Value::is_string))
        };
        let port = request.get("port").and_then(Value::as_u64)?;
        let is_request = request
            .keys()
            .all(|name| PROPERTY_NAMES.contains(&name.as_str()))
            && ["protocol", "domain", "path", "method"]
                .into_iter()
                .all(is_text)
            && ["headers", "queryParams"].into_iter().all(is_table)
            && u16::try_from(port).is_ok()
            && request.get("body").is_none_or(Value::is_string)
            && request.get("customMetadata").is_none_or(Value::is_object);
        is_request.then_some(Self(decomposed))
    }

    pub(super) fn domain(&self) -> &str {
        self.text("domain")
    }

    pub(super) fn path(&self) -> &str {
        self.text("path")
    }

    pub(super) fn method(&self) -> &str {
        self.text("method")
    }

    fn text(&self, property: &str) -> &str {
        self.0
            .get(property)
            .and_then(Value::as_str)
            .unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(url: &str, headers: &[(&str, &[u8])], body: Option<&[u8]>) -> Value {
        let url = Url::parse(url).expect("a URL");
        Request::new("patch", &url, headers.iter().copied(), body, None).0
    }

    #[test]
    fn addresses_are_taken_as_the_url_parser_leaves_them() {
        for (url, domain, port, path, query) in [
            ("https://EXAMPLE.com", "example.com", 443, "/", json!({})),
            (
                "http://u:p@example.com:80/a",
                "example.com",
                80,
                "/a",
                json!({}),
            ),
            ("https://example.com:80/", "example.com", 80, "/", json!({})),
            ("https://[::1]:8080/", "[::1]", 8080, "/", json!({})),
            (
                "https://bücher.de/é",
                "xn--bcher-kva.de",
                443,
                "/%C3%A9",
                json!({}),
            ),
            (
                "https://e.de./x/../%2e%2E/y\\z",
                "e.de.",
                443,
                "/y/z",
                json!({}),
            ),
            (
                "https://e.de//a/%2F%61 ",
                "e.de",
                443,
                "//a/%2F%61",
                json!({}),
            ),
            ("https://e.de/?a=1&a=2", "e.de", 443, "/", json!({"a": "2"})),
            (
                "https://e.de/?a&b=&=c&&d=%ff",
                "e.de",
                443,
                "/",
                json!({"a": "", "b": "", "": "c", "d": "\u{FFFD}"}),
            ),
            (
                "https://e.de/?a+b=c+d%2B&é='#f",
                "e.de",
                443,
                "/",
                json!({"a b": "c d+", "é": "'"}),
            ),
        ] {
            let request = value(url, &[], None);
            let parts = json!([
                request["domain"],
                request["port"],
                request["path"],
                request["queryParams"]
            ]);
            assert_eq!(parts, json!([domain, port, path, query]), "{url}");
            assert_eq!(request["method"], "PATCH");
            assert_eq!(request.get("body"), None);
        }
    }

    #[test]
    fn repeated_headers_are_joined() {
        let request = value(
            "https://e.de",
            &[
                ("X-A", b" 1 "),
                ("x-a", b"2"),
                ("Cookie", b"a=1"),
                ("cookie", b"b=2"),
                ("X-Latin", b"\xE9\xFF"),
            ],
            None,
        );
        let expected = json!({"x-a": "1, 2", "cookie": "a=1; b=2", "x-latin": "\u{E9}\u{FF}"});
        assert_eq!(request["headers"], expected);
    }

    #[test]
    fn bodies_are_parsed_by_their_content_type() {
        for (content_type, body, text, parsed) in [
            (
                "application/json",
                "{\"a\": 1}",
                Some("{\"a\": 1}"),
                Some(json!({"a": 1})),
            ),
            (
                " Application/Problem+JSON ; x=y",
                "null",
                Some("null"),
                Some(Value::Null),
            ),
            ("application/json", "{", Some("{"), None),
            ("text/json", "1", Some("1"), None),
            ("application/json", "", None, None),
            ("application/json", "\u{FEFF}1", Some("1"), Some(json!(1))),
            ("application/json", "\u{FEFF}", None, None),
        ] {
            let headers = [("content-type", content_type.as_bytes())];
            let request = value("https://e.de", &headers, Some(body.as_bytes()));
            assert_eq!(
                request.get("body"),
                text.map(Value::from).as_ref(),
                "{content_type} {body}"
            );
            assert_eq!(
                request.get("parsedBody"),
                parsed.as_ref(),
                "{content_type} {body}"
            );
        }
    }

    #[test]
    fn what_was_shown_of_a_request_restores_it_and_nothing_else_is_a_request() {
        let headers = [("content-type", b"application/json".as_slice())];
        let shown = value("https://e.de:8/a?b=c", &headers, Some(b"[1]"));
        let restored = Request::restore(shown.clone()).expect("it is one");
        assert_eq!(restored.as_value(), &shown);
        for (pointer, wrong) in [
            ("/path", json!(1)),
            ("/port", json!("8")),
            ("/port", json!(65_536)),
            ("/headers/content-type", Value::Null),
            ("/queryParams", json!(["b"])),
            ("/body", json!({})),
        ] {
            let mut other = shown.clone();
            *other.pointer_mut(pointer).expect("it is there") = wrong;
            assert!(Request::restore(other).is_none(), "{pointer}");
        }
        let mut strange = shown;
        strange["colour"] = json!("red");
        assert!(Request::restore(strange).is_none());
        assert!(Request::restore(json!([])).is_none());
    }

    proptest! {
        #[test]
        fn no_request_panics(
            path in "\\PC{0,30}",
            name in "[!-~]{1,8}",
            header in prop::collection::vec(any::<u8>(), 0..20),
            body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(url) = Url::parse(&format!("https://e.de/{path}")) {
                let headers = [("content-type", b"application/json".as_slice()), (&name, &header), (&name, &header)];
                let request = Request::new(&name, &url, headers.into_iter(), Some(&body), None);
                prop_assert!(request.as_value().is_object());
            }
        }
    }
}

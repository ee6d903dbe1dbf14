//! A request as the log may have it: what a rule can look at, without what could be a secret, and never long.
//!
//! It has the form of a request taken apart, so that it can be judged again. In the place of a value that is kept out of the
//! log stands `null`, and a value that is too long is cut and ends in `…`, one character beyond the limit; so neither can be
//! mistaken for a value that was sent. Bodies are never in it.

use serde_json::{Map, Value};

use crate::permissions::{Request, may_be_secret, may_hold_secret};

/// Headers whose values say nothing about who asks.
const PLAIN_HEADERS: [&str; 12] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "depth",
    "host",
    "range",
    "user-agent",
];
/// In characters.
const LONGEST_VALUE: usize = 256;
const LONGEST_NAME: usize = 64;
const LONGEST_PATH: usize = 2048;
/// For all headers, and again for all query parameters, in bytes of JSON.
const ROOM: usize = 2560;
const CUT: char = '…';
/// Stands, with `null`, for the headers or parameters that found no room.
const OTHERS: &str = "…";
/// What a value that the log does not have is taken for when the request is judged again.
const PLACEHOLDER: &str = "<hidden>";

/// A request in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRequest(Map<String, Value>);

/// A part of a request that the log does not have, or does not have whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// As a JSON pointer into the request taken apart: `/headers/authorization`.
    pub place: String,
    pub how: Withholding,
}

/// Why a part is not there as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withholding {
    /// It may be a secret, or is a body; judged again, it is `<hidden>` or absent.
    Hidden,
    /// It was too long, and only its beginning is there.
    Cut,
    /// There were more headers or parameters than the log takes.
    Omitted,
}

impl LoggedRequest {
    pub(super) fn of(request: &Request) -> Self {
        let mut logged = Map::new();
        for (name, value) in request.as_value().as_object().into_iter().flatten() {
            let value = match (name.as_str(), value) {
                ("headers", Value::Object(all)) => {
                    table(all, |name, _| PLAIN_HEADERS.contains(&name))
                }
                ("queryParams", Value::Object(all)) => table(all, |name, text| {
                    !may_be_secret(name) && !may_hold_secret(text)
                }),
                ("path", Value::String(path)) => shortened(path, LONGEST_PATH).into(),
                ("protocol" | "domain" | "method", Value::String(text)) => {
                    shortened(text, LONGEST_VALUE).into()
                }
                ("port", port) => port.clone(),
                _ => Value::Null,
            };
            logged.insert(name.clone(), value);
        }
        Self(logged)
    }

    /// As it stands in the log.
    pub(super) fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    pub fn method(&self) -> &str {
        self.member("method")
    }

    /// Percent-encoded, without the query.
    pub fn path(&self) -> &str {
        self.member("path")
    }

    fn member(&self, name: &str) -> &str {
        let member = self.0.get(name).and_then(Value::as_str);
        member.unwrap_or_default()
    }

    /// As JSON: the request taken apart, with `null` for what is hidden.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Everything in which it differs from what was sent.
    pub fn withheld(&self) -> Vec<Withheld> {
        let mut withheld = Vec::new();
        for (name, value) in &self.0 {
            let place = format!("/{name}");
            match value {
                Value::Object(table) => {
                    for (name, value) in table {
                        let place = format!("{place}/{}", escaped(name));
                        let how = match value {
                            Value::Null if name == OTHERS => Some(Withholding::Omitted),
                            _ if is_cut(name, LONGEST_NAME) => Some(Withholding::Cut),
                            value => withholding(value, LONGEST_VALUE),
                        };
                        withheld.extend(how.map(|how| Withheld { place, how }));
                    }
                }
                value => {
                    let limit = if name == "path" {
                        LONGEST_PATH
                    } else {
                        LONGEST_VALUE
                    };
                    let how = withholding(value, limit);
                    withheld.extend(how.map(|how| Withheld { place, how }));
                }
            }
        }
        withheld
    }

    /// The request to be judged again, as far as the log has it; see [`Self::withheld`]. None when a record was tampered with.
    pub fn restored(&self) -> Option<Request> {
        let mut request = self.0.clone();
        request.retain(|_, value| !value.is_null());
        for table in request.values_mut().filter_map(Value::as_object_mut) {
            table.shift_remove(OTHERS);
            for value in table.values_mut().filter(|value| value.is_null()) {
                *value = PLACEHOLDER.into();
            }
        }
        Request::restore(request.into())
    }
}

/// The values for which `is_plain` of name and value holds, as many as there is room for.
fn table(all: &Map<String, Value>, is_plain: impl Fn(&str, &str) -> bool) -> Value {
    let mut table = Map::new();
    let mut room = ROOM;
    for (name, value) in all {
        let value = match value.as_str() {
            Some(text) if is_plain(name, text) => Value::from(shortened(text, LONGEST_VALUE)),
            _ => Value::Null,
        };
        let name = shortened(name, LONGEST_NAME);
        // Quotes, colon and comma; what is escaped counts as it will stand there.
        let size = Value::from(name.as_str()).to_string().len() + value.to_string().len() + 2;
        let Some(left) = room.checked_sub(size) else {
            table.insert(OTHERS.to_owned(), Value::Null);
            break;
        };
        room = left;
        table.insert(name, value);
    }
    table.into()
}

/// The first `limit` characters, with a mark behind them if there are more.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => {
            let mut cut = text.get(..end).unwrap_or_default().to_owned();
            cut.push(CUT);
            cut
        }
    }
}

fn is_cut(text: &str, limit: usize) -> bool {
    text.chars().nth(limit) == Some(CUT)
}

fn withholding(value: &Value, limit: usize) -> Option<Withholding> {
    match value {
        Value::Null => Some(Withholding::Hidden),
        Value::String(text) if is_cut(text, limit) => Some(Withholding::Cut),
        _ => None,
    }
}

/// RFC 6901.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    use super::*;

    fn request(target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Request {
        let url = Url::parse("https://latchkey-self.invalid:1").unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        Request::new("get", &url.join(target).unwrap(), headers, body, None)
    }

    fn withheld(logged: &LoggedRequest) -> Vec<(String, Withholding)> {
        let withheld = logged.withheld().into_iter();
        withheld.map(|part| (part.place, part.how)).collect()
    }

    #[test]
    fn what_may_be_a_secret_is_hidden_and_the_rest_is_as_it_was_sent() {
        let headers = [
            ("Authorization", "Bearer s3cret"),
            ("Cookie", "id=s3cret"),
            ("X-Api-Key", "s3cret"),
            ("X-Custom", "s3cret"),
            ("Accept", "*/*"),
            ("User-Agent", "curl/8"),
        ];
        let target = "/a%20b?access_token=s3cret&apiKey=s3cret&sig=s3cret&X-Amz-Credential=s3cret&code=s3cret\
            &password=s3cret&q=plain&rule_key=any&a/b~auth=s3cret";
        let logged = LoggedRequest::of(&request(target, &headers, Some(b"s3cret")));
        assert!(!logged.text().contains("s3cret"), "{}", logged.text());
        assert_eq!((logged.method(), logged.path()), ("GET", "/a%20b"));
        let parsed = LoggedRequest::parse(&logged.text()).unwrap();
        assert_eq!(parsed, logged);
        let restored = parsed.restored().unwrap();
        let value = restored.as_value();
        assert_eq!(value["queryParams"]["q"], "plain");
        assert_eq!(value["queryParams"]["rule_key"], "any");
        assert_eq!(value["queryParams"]["sig"], "<hidden>");
        assert_eq!(value["headers"]["accept"], "*/*");
        assert_eq!(value["headers"]["authorization"], "<hidden>");
        assert_eq!(value["port"], 1);
        assert_eq!(value.get("body"), None);
        let withheld = withheld(&parsed);
        for place in [
            "/headers/cookie",
            "/headers/x-custom",
            "/queryParams/a~1b~0auth",
            "/body",
        ] {
            let expected = (place.to_owned(), Withholding::Hidden);
            assert!(withheld.contains(&expected), "{place}: {withheld:?}");
        }
        assert_eq!(withheld.len(), 4 + 7 + 1, "{withheld:?}");
    }

    #[test]
    fn a_secret_under_a_harmless_name_is_hidden() {
        for value in [
            "1;token=s3cret",
            "https%3A%2F%2Fx%2F%3Faccess_token%3Ds3cret",
            "%7B%22password%22%3A%22s3cret%22%7D",
            "Bearer%20s3cret",
            "eyJhbGciOiJIUzI1NiJ9.s3cret",
        ] {
            let logged = LoggedRequest::of(&request(&format!("/?q={value}"), &[], None));
            assert!(!logged.text().contains("s3cret"), "{}", logged.text());
        }
        for name in [
            "bearer",
            "cookie",
            "hmac",
            "sid",
            "client_assertion",
            "xsrf",
        ] {
            let logged = LoggedRequest::of(&request(&format!("/?{name}=s3cret"), &[], None));
            assert!(!logged.text().contains("s3cret"), "{}", logged.text());
        }
        let plain = "q=author:me+state:open&u=https://x/y?page=2";
        let logged = LoggedRequest::of(&request(&format!("/?{plain}"), &[], None));
        assert_eq!(withheld(&logged), [], "{}", logged.text());
    }

    #[test]
    fn a_request_without_secrets_is_restored_as_it_was() {
        let request = request("/x?a=1&b=", &[("accept", "text/html")], None);
        let logged = LoggedRequest::of(&request);
        assert_eq!(withheld(&logged), []);
        assert_eq!(logged.restored().unwrap().as_value(), request.as_value());
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let long = "ä".repeat(LONGEST_VALUE);
        let path = format!("/{}", "x".repeat(2 * LONGEST_PATH));
        let target = format!("{path}?fits={long}&long={long}x&{}=1", "n".repeat(80));
        let logged = LoggedRequest::of(&request(&target, &[], None));
        let places: Vec<String> = withheld(&logged)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        let name = format!("/queryParams/{}…", "n".repeat(64));
        assert_eq!(places, ["/path", "/queryParams/long", name.as_str()]);
        assert_eq!(logged.as_object()["queryParams"]["fits"], json!(long));
    }

    #[test]
    fn more_headers_than_there_is_room_for_are_omitted() {
        let names: Vec<String> = (0..500).map(|number| format!("x-{number}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        let logged = LoggedRequest::of(&request("/", &headers, None));
        let last = withheld(&logged).pop();
        assert_eq!(last, Some(("/headers/…".to_owned(), Withholding::Omitted)));
        assert!(logged.restored().is_some());
    }

    #[test]
    fn what_is_no_request_is_not_restored() {
        for text in [r#"{"method":"GET"}"#, r#"{"method":"GET","colour":"red"}"#] {
            assert!(
                LoggedRequest::parse(text).unwrap().restored().is_none(),
                "{text}"
            );
        }
        assert_eq!(LoggedRequest::parse("[]"), None);
    }

    proptest! {
        #[test]
        fn every_request_becomes_a_short_text_and_comes_back(
            path in "\\PC{0,5000}",
            query in prop::collection::vec(("\\PC{0,100}", any::<String>()), 0..60),
            headers in prop::collection::vec(("[a-z-]{1,80}", "[ -~]{0,400}"), 0..60),
        ) {
            let mut url = Url::parse("https://latchkey-self.invalid:1").unwrap();
            url.set_path(&path);
            url.query_pairs_mut().extend_pairs(&query);
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let request = Request::new("POST", &url, headers, Some(b"body"), None);
            let logged = LoggedRequest::of(&request);
            prop_assert!(logged.text().len() <= 8 * 1024, "{} bytes", logged.text().len());
            prop_assert_eq!(LoggedRequest::parse(&logged.text()), Some(logged.clone()));
            prop_assert!(logged.restored().is_some());
        }
    }
}

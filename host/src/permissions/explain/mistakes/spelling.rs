//! The same request, spelled otherwise, is allowed.

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use serde_json::Value;
use url::Url;

use super::super::super::Request;
use super::super::super::schema::Mismatch;
use super::super::dissection::Dissection;
use super::super::request::{text, with};
use super::{Advice, Change, Mistake, otherwise, provided, schema_change};

/// What a URL parser encodes in a path and what has no meaning of its own in a pattern.
const IN_PATTERNS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');
/// What programs leave as it is when they encode a path segment by segment.
const IN_SEGMENTS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'%')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn trailing_slash(dissection: &Dissection, request: &Request) -> Option<Advice> {
    let path = text(request, "path");
    let (other, what) = match path.strip_suffix('/') {
        Some("") => return None,
        Some(shorter) => (shorter.to_owned(), "ends in a slash, and without it"),
        None => (format!("{path}/"), "does not end in a slash, and with it"),
    };
    let variant = otherwise(request, "path", &other)?;
    if !dissection.allows(&variant) {
        return None;
    }
    let by_schema = schema_change(dissection, request, "path", with_optional_slash);
    let alternative = by_schema.as_ref().map(Change::as_alternative);
    let by_request = Change::Request {
        property: "path",
        value: other.as_str().into(),
    };
    Some(Advice {
        mistake: Mistake::TrailingSlash,
        sentence: format!(
            "the path {path:?} {what} it would be allowed{}: send it as {other:?}{}",
            provided(dissection, &variant),
            alternative.unwrap_or_default()
        ),
        changes: std::iter::once(by_request).chain(by_schema).collect(),
    })
}

fn with_optional_slash(obstacle: &Mismatch) -> Option<(String, Value)> {
    let pattern = obstacle.expected.as_str()?;
    let pattern = pattern
        .strip_suffix('$')
        .filter(|_| obstacle.keyword == "pattern")?;
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    Some((obstacle.place.clone(), format!("{pattern}/?$").into()))
}

pub(super) fn percent_encoding(dissection: &Dissection, request: &Request) -> Option<Advice> {
    let path = text(request, "path");
    let other_spellings = [
        plain(path),
        with_escapes(path, str::to_ascii_uppercase),
        with_escapes(path, str::to_ascii_lowercase),
        utf8_percent_encode(path, IN_SEGMENTS).to_string(),
        decoded(path).unwrap_or_default(),
    ];
    let allowed = |other: String| {
        let variant = otherwise(request, "path", &other)?;
        (other != path && dissection.allows(&variant)).then_some((other, variant))
    };
    let (other, variant) = other_spellings.into_iter().find_map(allowed)?;
    if is_sendable(&other) {
        return Some(Advice {
            mistake: Mistake::PercentEncoding,
            sentence: format!(
                "the rules spell the path with other percent-encoding than the request: {other:?} would be allowed{}: send it \
                 as that, or spell the schema's path as the request has it, {path:?}",
                provided(dissection, &variant)
            ),
            changes: vec![Change::Request {
                property: "path",
                value: other.into(),
            }],
        });
    }
    let by_schema = schema_change(dissection, request, "path", encoded);
    let what = match &by_schema {
        Some(Change::Schema {
            schema,
            place,
            value,
        }) => format!("put {value} at {place} of {schema:?}"),
        _ => "write the path in the schema as it is in the request".to_owned(),
    };
    Some(Advice {
        mistake: Mistake::PercentEncoding,
        sentence: format!(
            "the schema has {other:?} decoded, but schemas see a path percent-encoded, {path:?}: {what}"
        ),
        changes: by_schema.into_iter().collect(),
    })
}

/// A pattern or path of a schema with what cannot stand in a path percent-encoded.
fn encoded(obstacle: &Mismatch) -> Option<(String, Value)> {
    let encode = |text: &str| Value::from(utf8_percent_encode(text, IN_PATTERNS).to_string());
    let value = match (obstacle.keyword, &obstacle.expected) {
        ("pattern" | "const", Value::String(text)) => encode(text),
        ("enum", Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.clone(), encode))
            .collect(),
        _ => return None,
    };
    Some((obstacle.place.clone(), value))
}

/// Without the escapes that no path needs: letters, digits, `-._~`.
fn plain(path: &str) -> String {
    let unneeded = |code: u8| code.is_ascii_alphanumeric() || b"-._~".contains(&code);
    let mut plain = String::new();
    for (text, escape) in pieces(path) {
        plain.push_str(text);
        match escape.and_then(code) {
            Some(code) if unneeded(code) => plain.push(code.into()),
            _ => plain.push_str(escape.unwrap_or_default()),
        }
    }
    plain
}

fn with_escapes(path: &str, change: impl Fn(&str) -> String) -> String {
    pieces(path)
        .map(|(text, escape)| format!("{text}{}", escape.map(&change).unwrap_or_default()))
        .collect()
}

/// Texts, each with the escape (`%` and two digits) that follows it.
fn pieces(path: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let is_escape = |candidate: &str| code(candidate).is_some();
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let starts = text.match_indices('%').map(|(start, _)| start);
        let found = starts.into_iter().find_map(|start| {
            let (before, after) = text.split_at_checked(start)?;
            let (escape, after) = after
                .split_at_checked(3)
                .filter(|(escape, _)| is_escape(escape))?;
            Some((before, escape, after))
        });
        Some(match found {
            Some((before, escape, after)) => {
                rest = Some(after);
                (before, Some(escape))
            }
            None => (text, None),
        })
    })
}

fn code(escape: &str) -> Option<u8> {
    let digits = escape.strip_prefix('%')?;
    let is_code = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_code
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn decoded(path: &str) -> Option<String> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Whether a request can have this path.
fn is_sendable(path: &str) -> bool {
    let url = Url::parse("https://host.invalid/").and_then(|url| url.join(path));
    url.is_ok_and(|url| {
        url.path() == path && url.query().is_none() && url.domain() == Some("host.invalid")
    })
}

pub(super) fn protocol(dissection: &Dissection, request: &Request) -> Option<Advice> {
    if text(request, "protocol") != "http" {
        return None;
    }
    let port = request.as_value().get("port").and_then(Value::as_u64);
    let port = port.filter(|port| *port != 80).unwrap_or(443);
    let changes = [("protocol", "https".into()), ("port", port.into())];
    let secure = with(request, &changes)?;
    dissection.allows(&secure).then(|| Advice {
        mistake: Mistake::Protocol,
        sentence: format!(
            "over http it is not allowed, over https it is{}: send it over https",
            provided(dissection, &secure)
        ),
        changes: vec![Change::Request {
            property: "protocol",
            value: "https".into(),
        }],
    })
}

//! JSON bodies, taken as ECMAScript's `JSON.parse` takes them.
//!
//! Whatever the receiver of a request reads as JSON must be seen here too, or a request could slip past a rule about its
//! content. So a number beyond all range is the largest there is, half of a surrogate pair is a replacement character, and
//! what is nested too deep to look into stands there as `null`. What is no JSON by its grammar is none here.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deeper than any API nests, and within what the parser takes.
const MAX_DEPTH: usize = 100;

/// The value of `text`, if it is JSON.
pub(super) fn parse(text: &str) -> Option<Value> {
    read(text).or_else(|| {
        // What is skipped is checked by the grammar alone.
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        read(&within_range(text))
    })
}

fn read(text: &str) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Level(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// How many more levels are looked into.
#[derive(Clone, Copy)]
struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Level(below))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            object.insert(name, members.next_value_seed(Level(below))?);
        }
        Ok(Value::Object(object))
    }
}

/// JSON that holds what `text` holds, without lone surrogates and without numbers beyond all range. `text` must be JSON.
fn within_range(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(next) = rest.chars().next() {
        let (length, replacement) = match (in_string, next) {
            (true, '\\') => escape(rest),
            (false, '-' | '0'..='9') => number(rest),
            (_, '"') => {
                in_string = !in_string;
                (1, None)
            }
            _ => (next.len_utf8(), None),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(replacement.unwrap_or(token));
        rest = after;
    }
    out
}

/// The length of the escape that `rest` begins with, and what must stand in its place.
fn escape(rest: &str) -> (usize, Option<&'static str>) {
    let lone = (ESCAPE, Some("\\ufffd"));
    match surrogate(rest) {
        None => (2, None),
        Some(Surrogate::Trail) => lone,
        Some(Surrogate::Lead) => match rest.get(ESCAPE..).and_then(surrogate) {
            Some(Surrogate::Trail) => (2 * ESCAPE, None),
            _ => lone,
        },
    }
}

/// The length of `\uXXXX`.
const ESCAPE: usize = 6;

enum Surrogate {
    Lead,
    Trail,
}

fn surrogate(escape: &str) -> Option<Surrogate> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Surrogate::Lead),
        0xDC00..=0xDFFF => Some(Surrogate::Trail),
        _ => None,
    }
}

/// The length of the number that `rest` begins with, and what must stand in its place.
fn number(rest: &str) -> (usize, Option<&'static str>) {
    let is_part = |c: char| matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
    let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let value = rest.get(..length).and_then(|token| token.parse().ok());
    let replacement = match value {
        Some(f64::INFINITY) => Some("1.7976931348623157e308"),
        Some(f64::NEG_INFINITY) => Some("-1.7976931348623157e308"),
        _ => None,
    };
    (length, replacement)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_receiver_would_read_is_seen() {
        for (text, expected) in [
            (
                r#"{"a": "\ud800", "b": 1}"#,
                json!({"a": "\u{FFFD}", "b": 1}),
            ),
            (
                r#"["\udc00\ud83d\ude00\ud83d", "\\\ud800", "\"\uDBFF\n"]"#,
                json!(["\u{FFFD}😀\u{FFFD}", "\\\u{FFFD}", "\"\u{FFFD}\n"]),
            ),
            (r#"{"\ud800": 1}"#, json!({"\u{FFFD}": 1})),
            (
                "[1e999, -1E+999, 1e-999, 5]",
                json!([f64::MAX, f64::MIN, 0.0, 5]),
            ),
            (r#"["1e999", 1e999]"#, json!(["1e999", f64::MAX])),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            (r#"{"a": 1, "a": 2}"#, json!({"a": 2})),
            (" [ null , true ] ", json!([null, true])),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn depth_hides_nothing_that_stands_above_it() {
        let deep = format!("{}1e999{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = parse(&format!(r#"{{"deep": {deep}, "query": "mutation"}}"#)).expect("JSON");
        assert_eq!(body["query"], "mutation");
        assert!(body["deep"][0][0].is_array());
        let unclosed = format!(r#"{{"deep": {}, "a": 1}}"#, "[".repeat(300));
        assert_eq!(parse(&unclosed), None);
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "",
            "{",
            "1.e999",
            "01e999",
            "+1e999",
            "1e999 2",
            r#""\ud800"#,
            r#""\ud80""#,
            "'a'",
            "NaN",
            "[1e999,]",
            "\"\n\"",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_not_as_its_grammar_says(
            text in r#"([\[\]{},: ]|"([a\\"]|\\u[dD][89cC]00|\\n)*"|-?[0-9]{1,3}(\.[0-9])?([eE][+-]?[0-9]{1,3})?|null|é){0,9}"#,
        ) {
            let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(parse(&text).is_some(), is_json, "{}", text);
        }

        #[test]
        fn what_serde_json_takes_is_taken_the_same(text in r#"(\[|\]|,|"[a-z]*":?|[0-9.e-]{1,5}|\{|\}){0,9}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(&text), Some(value));
            }
        }
    }
}

//! Reasons as sentences for people.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::Mismatch;

/// How much of a value a sentence shows, in characters.
const SHOWN: usize = 100;
/// How many values of a list a sentence shows.
const LISTED: usize = 8;

impl Display for Mismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (expected, actual) = (&self.expected, Text(self.actual.as_ref()));
        if matches!(
            self.keyword,
            "required" | "dependentRequired" | "dependencies"
        ) {
            let name = expected.as_str().unwrap_or_default();
            let subject = format!("{}/{name}", self.at);
            return write!(f, "{} is missing", subject.trim_start_matches('/'));
        }
        match self.at.strip_prefix('/') {
            Some(subject) => write!(f, "{subject}: ")?,
            None => f.write_str("the request: ")?,
        }
        let limit = Text(Some(expected));
        match self.keyword {
            "type" => write!(f, "{actual} is not of type {}", Listed(expected, " or ")),
            "const" => write!(f, "{actual} is not {limit}"),
            "enum" if expected.as_array().is_some_and(Vec::is_empty) => {
                write!(
                    f,
                    "{actual} is not allowed, for the list of what is has no entry"
                )
            }
            "enum" => write!(f, "{actual} is not one of {}", Listed(expected, ", ")),
            "pattern" => write!(f, "{actual} does not match {}", Listed(expected, "")),
            "format" => write!(
                f,
                "{actual} does not have the format {}",
                Listed(expected, "")
            ),
            "not" => write!(f, "{actual} matches what must not match"),
            "minimum" => write!(f, "{actual} is less than {limit}"),
            "maximum" => write!(f, "{actual} is more than {limit}"),
            "exclusiveMinimum" => write!(f, "{actual} is not more than {limit}"),
            "exclusiveMaximum" => write!(f, "{actual} is not less than {limit}"),
            "multipleOf" => write!(f, "{actual} is not a multiple of {limit}"),
            "minLength" => write!(f, "{actual} is shorter than {limit} characters"),
            "maxLength" => write!(f, "{actual} is longer than {limit} characters"),
            "minProperties" => write!(f, "it has {actual} members, fewer than {limit}"),
            "maxProperties" => write!(f, "it has {actual} members, more than {limit}"),
            "propertyNames" => write!(f, "it may not have a member {actual}"),
            "minItems" => write!(f, "it has {actual} items, fewer than {limit}"),
            "maxItems" => write!(f, "it has {actual} items, more than {limit}"),
            "uniqueItems" => f.write_str("it has the same item twice"),
            "contains" => f.write_str("it has no item as 'contains' asks for"),
            "minContains" => write!(
                f,
                "it has {actual} items as 'contains' asks for, fewer than {limit}"
            ),
            "maxContains" => write!(
                f,
                "it has {actual} items as 'contains' asks for, more than {limit}"
            ),
            "anyOf" | "oneOf" if expected.as_u64() == Some(0) => {
                write!(
                    f,
                    "'{}' has no alternatives, so nothing matches",
                    self.keyword
                )
            }
            "oneOf" if self.alternatives.is_empty() => {
                write!(
                    f,
                    "{actual} of {limit} alternatives match, where exactly one must"
                )
            }
            "anyOf" | "oneOf" => write!(f, "none of {limit} alternatives matches"),
            "false" => f.write_str("nothing is allowed here"),
            _ => f.write_str("it does not match"),
        }
    }
}

/// A value in a sentence: JSON, not too long.
struct Text<'a>(Option<&'a Value>);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else {
            return f.write_str("what is there");
        };
        write!(f, "{}", Cut(&value.to_string()))
    }
}

/// A text that ends in a mark where it would be too long.
struct Cut<'a>(&'a str);

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            None => f.write_str(self.0),
            Some((end, _)) => write!(f, "{}…", self.0.get(..end).unwrap_or(self.0)),
        }
    }
}

/// One or several values, texts without their quotes.
struct Listed<'a>(&'a Value, &'static str);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let values = match self.0 {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                f.write_str(self.1)?;
            }
            if index == LISTED {
                return write!(f, "… ({} in all)", values.len());
            }
            match value {
                Value::String(text) if !text.is_empty() => write!(f, "{}", Cut(text))?,
                other => write!(f, "{}", Text(Some(other)))?,
            }
        }
        Ok(())
    }
}
